//! An observer sees every port call and changes none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use decorators::instrumented::{CallOutcome, Observer};
use decorators::layer_stack::LayerStack;
use decorators::timeout::Timeout;
use domain::concert::{ConcertCatalog, ConcertPage, PageNumber, PageRequest, PageSize};
use domain::{Dependency, PortError, PortErrorKind};

#[derive(Default)]
struct Heard(Mutex<Vec<CallOutcome>>);

impl Observer for Heard {
    fn system(&self) -> &'static str {
        "memory"
    }

    fn observe(&self, outcome: &CallOutcome) {
        self.0.lock().unwrap().push(*outcome);
    }
}

/// Answers after this duration, or fails.
struct Catalog(Result<Duration, PortErrorKind>);

#[async_trait]
impl ConcertCatalog for Catalog {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        match self.0 {
            Ok(after) => {
                tokio::time::sleep(after).await;
                Ok(ConcertPage { request, concerts: Vec::new(), total: 0 })
            }
            Err(kind) => Err(PortError::new(kind, Dependency::named("test"))),
        }
    }
}

async fn call(catalog: Catalog) -> (Result<(), PortErrorKind>, Vec<CallOutcome>) {
    let received = Arc::new(Heard::default());
    let port: Arc<dyn ConcertCatalog> = Arc::new(catalog);
    let port = LayerStack::on(port)
        .with(Some(Timeout::new(Dependency::named("test"), Duration::from_millis(100))))
        .observed(Some(Arc::clone(&received) as Arc<dyn Observer>))
        .port();
    let request = PageRequest { number: PageNumber::FIRST, size: PageSize::new(10).unwrap() };
    let answer = port.page(request).await.map(drop).map_err(|error| error.kind());
    let received = received.0.lock().unwrap().clone();
    (answer, received)
}

#[tokio::test(start_paused = true)]
async fn success_failure_and_timeout_are_reported_with_their_durations() {
    let received = |took, failure| {
        vec![CallOutcome { operation: "concert_page", took: Duration::from_millis(took), failure }]
    };
    assert_eq!(call(Catalog(Ok(Duration::from_millis(30)))).await, (Ok(()), received(30, None)));
    let corrupt = PortErrorKind::Corrupt;
    assert_eq!(call(Catalog(Err(corrupt))).await, (Err(corrupt), received(0, Some(corrupt))));
    let timeout = PortErrorKind::Timeout;
    let late = call(Catalog(Ok(Duration::from_secs(9)))).await;
    assert_eq!(
        late,
        (Err(timeout), received(100, Some(timeout))),
        "the observer sees what the breaker sees"
    );
}
