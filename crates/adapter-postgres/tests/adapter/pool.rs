//! The state and the wait times a pool reports.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_postgres::{PoolSettings, PoolState, Postgres, PostgresCatalog};
use domain::concert::{ConcertCatalog as _, PageNumber, PageRequest, PageSize};
use domain::{PortError, PortErrorKind};
use tokio::task::JoinSet;

use crate::support::{LIMITS, POOL, database, eventually, pool};

const ACQUIRE: Duration = Duration::from_secs(2);
const SETTINGS: PoolSettings =
    PoolSettings { size: 2, min_idle: 2, acquire: ACQUIRE, max_waiting: 3, ..POOL };

async fn run(postgres: Postgres) -> Result<(), PortError> {
    let request =
        PageRequest { number: PageNumber::new(1).unwrap(), size: PageSize::new(10).unwrap() };
    PostgresCatalog::new(postgres).page(request).await.map(drop)
}

/// Records how long calls waited.
fn listen(postgres: &Postgres) -> Arc<Mutex<Vec<Duration>>> {
    let waits = Arc::<Mutex<Vec<Duration>>>::default();
    let received = Arc::clone(&waits);
    postgres.on_wait(Arc::new(move |wait| received.lock().unwrap().push(wait)));
    waits
}

async fn is(postgres: &Postgres, expected: PoolState) {
    eventually(&format!("{expected:?}"), async || postgres.state() == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_counts_used_connections_waiting_calls_and_timeouts() {
    let database = database();
    let postgres = pool(&database.url(), LIMITS, &SETTINGS);
    let waits = listen(&postgres);
    postgres.on_wait(Arc::new(|_| panic!("only the first listener is kept")));
    let idle = PoolState { size: 2, connections: 2, idle: 2, waiting: 0, timeouts: 0 };
    is(&postgres, idle).await;
    let lock = database.hold("LOCK TABLE concerts").unwrap();
    let mut outcome = JoinSet::new();
    for _question in 0..5 {
        outcome.spawn(run(postgres.clone()));
    }
    is(&postgres, PoolState { idle: 0, waiting: 3, ..idle }).await;
    assert_eq!(run(postgres.clone()).await.unwrap_err().kind(), PortErrorKind::Overloaded);
    assert_eq!(postgres.state().timeouts, 1, "the call refused without waiting");
    for _waited in 0..3 {
        let refused = outcome.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.kind(), PortErrorKind::Overloaded);
    }
    is(&postgres, PoolState { idle: 0, timeouts: 4, ..idle }).await;
    drop(lock);
    outcome.join_all().await.into_iter().for_each(|answer| answer.unwrap());
    is(&postgres, PoolState { timeouts: 4, ..idle }).await;
    let waits = waits.lock().unwrap();
    let in_vain = waits.iter().filter(|wait| **wait >= ACQUIRE).count();
    assert_eq!((waits.len(), in_vain), (5, 3), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_stops_waiting() {
    let database = database();
    let settings =
        PoolSettings { size: 1, min_idle: 1, acquire: Duration::from_secs(600), ..SETTINGS };
    let postgres = pool(&database.url(), LIMITS, &settings);
    let waits = listen(&postgres);
    let lock = database.hold("LOCK TABLE concerts").unwrap();
    let outcome = tokio::spawn(run(postgres.clone()));
    eventually("one query runs", async || {
        postgres.state().connections - postgres.state().idle == 1
    })
    .await;
    let waiting = tokio::spawn(run(postgres.clone()));
    eventually("one waits", async || postgres.state().waiting == 1).await;
    waiting.abort();
    eventually("none waits", async || postgres.state().waiting == 0).await;
    assert_eq!((waits.lock().unwrap().len(), postgres.state().timeouts), (2, 0));
    drop(lock);
    outcome.await.unwrap().unwrap();
}
