//! An observer sees every port call and changes none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use decorators::observed::{Asked, Observer};
use decorators::stack::Stack;
use decorators::time_limit::TimeLimit;
use domain::concert::{ConcertCatalog, ConcertPage, PageNumber, PageRequest, PageSize};
use domain::{PortError, PortErrorKind};

#[derive(Default)]
struct Heard(Mutex<Vec<Asked>>);

impl Observer for Heard {
    fn system(&self) -> &'static str {
        "memory"
    }

    fn asked(&self, asked: &Asked) {
        self.0.lock().unwrap().push(*asked);
    }
}

/// Answers after this duration, or fails.
struct Catalogue(Result<Duration, PortErrorKind>);

#[async_trait]
impl ConcertCatalog for Catalogue {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        match self.0 {
            Ok(after) => {
                tokio::time::sleep(after).await;
                Ok(ConcertPage { request, concerts: Vec::new(), total: 0 })
            }
            Err(kind) => Err(PortError::new(kind, "test")),
        }
    }
}

async fn ask(catalogue: Catalogue) -> (Result<(), PortErrorKind>, Vec<Asked>) {
    let heard = Arc::new(Heard::default());
    let port: Arc<dyn ConcertCatalog> = Arc::new(catalogue);
    let port = Stack::on(port)
        .with(Some(TimeLimit::new("test", Duration::from_millis(100))))
        .observed(Some(Arc::clone(&heard) as Arc<dyn Observer>))
        .port();
    let request = PageRequest { number: PageNumber::FIRST, size: PageSize::new(10).unwrap() };
    let answer = port.page(request).await.map(drop).map_err(|error| error.kind());
    let heard = heard.0.lock().unwrap().clone();
    (answer, heard)
}

#[tokio::test(start_paused = true)]
async fn success_failure_and_timeout_are_reported_with_their_durations() {
    let heard = |took, failure| {
        vec![Asked { operation: "concert_page", took: Duration::from_millis(took), failure }]
    };
    assert_eq!(ask(Catalogue(Ok(Duration::from_millis(30)))).await, (Ok(()), heard(30, None)));
    let corrupt = PortErrorKind::Corrupt;
    assert_eq!(ask(Catalogue(Err(corrupt))).await, (Err(corrupt), heard(0, Some(corrupt))));
    let timeout = PortErrorKind::Timeout;
    let late = ask(Catalogue(Ok(Duration::from_secs(9)))).await;
    assert_eq!(
        late,
        (Err(timeout), heard(100, Some(timeout))),
        "the observer sees what the breaker sees"
    );
}
