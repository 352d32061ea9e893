//! What happens to a connection whose call or caller does not wait for the end.

use connection_pool::{Call, ConnectError, PoolError, PoolSettings, Slot};
use tokio::runtime::Builder;

use crate::support::{
    ANSWER, Ask, Attempt, Connection, Gate, Manager, Outcome, Pool, Refusal, SETTINGS, pool, settle,
};

const ONE: PoolSettings = PoolSettings { size: 1, ..SETTINGS };

/// Starts a call that ends with its gate.
async fn start(pool: &Pool, gate: &Gate, name: u32) -> tokio::task::JoinHandle<Outcome> {
    let (pool, call) = (pool.clone(), gate.call(name));
    let caller = tokio::spawn(async move { pool.run(call).await });
    settle().await;
    caller
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_leaves_the_queue() {
    let (pool, _) = pool(&ONE);
    let gate = Gate::new();
    let first = start(&pool, &gate, 0).await;
    let second = start(&pool, &gate, 1).await;
    assert_eq!(pool.state().waiting, 1);
    second.abort();
    settle().await;
    assert_eq!((pool.state().waiting, pool.state().timeouts), (0, 0));
    gate.open(2);
    first.await.unwrap().unwrap();
    settle().await;
    assert_eq!(gate.notes(), ["0 begins", "0 ends"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_begun_ends_without_its_caller_and_returns_its_connection() {
    let (pool, manager) = pool(&ONE);
    let gate = Gate::new();
    start(&pool, &gate, 0).await.abort();
    settle().await;
    assert_eq!((pool.state().connections, pool.state().idle), (1, 0));
    gate.open(1);
    assert_eq!(pool.run(Ask).await, Ok(1));
    assert_eq!((gate.notes(), manager.attempts()), (vec!["0 begins".into(), "0 ends".into()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_in_time_loses_its_connection() {
    let (pool, _) = pool(&ONE);
    let gate = Gate::new();
    let before = tokio::time::Instant::now();
    assert_eq!(pool.run(gate.call(0)).await, Err(PoolError::NoAnswer));
    assert!(before.elapsed() >= ANSWER);
    assert_eq!((pool.state().connections, pool.state().timeouts), (0, 0));
    assert_eq!(pool.run(Ask).await, Ok(2));
}

struct Panics;

impl Call<Manager> for Panics {
    type Answer = u32;

    async fn run(self, _: &mut Slot<'_, Manager>) -> u32 {
        panic!("as the test wants")
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_lost_with_its_connection_and_frees_its_place() {
    let (pool, _) = pool(&PoolSettings { max_waiting: 0, ..ONE });
    for made in 1..4 {
        assert_eq!(pool.run(Panics).await, Err(PoolError::Lost));
        assert_eq!(pool.state().connections, 0);
        assert_eq!(pool.manager().attempts(), made);
    }
    assert_eq!(pool.run(Ask).await, Ok(4));
}

/// On several threads the task of a call may still run when its caller has the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_makes_one_call_after_the_other_never_waits_for_itself() {
    let (pool, _) = pool(&PoolSettings { max_waiting: 0, ..ONE });
    for _call in 0..2_000 {
        assert_eq!(pool.run(Ask).await, Ok(1));
    }
    for panicked in 1..50 {
        assert_eq!(pool.run(Panics).await, Err(PoolError::Lost));
        assert_eq!(pool.run(Ask).await, Ok(1 + panicked));
    }
}

/// Replaces its connection, and then answers, or not in time.
struct Reconnects {
    answers: bool,
}

impl Call<Manager> for Reconnects {
    type Answer = Result<u32, ConnectError<Refusal>>;

    async fn run(self, slot: &mut Slot<'_, Manager>) -> Result<u32, ConnectError<Refusal>> {
        slot.reconnect().await?;
        if !self.answers {
            std::future::pending::<()>().await;
        }
        let Connection(made) = **slot;
        Ok(made)
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_connection_takes_the_slot_of_the_old_one() {
    let (pool, manager) = pool(&ONE);
    assert_eq!(pool.run(Ask).await, Ok(1));
    assert_eq!(pool.run(Reconnects { answers: true }).await, Ok(Ok(2)));
    assert_eq!((pool.run(Ask).await, pool.state().connections), (Ok(2), 1));
    assert_eq!(pool.run(Reconnects { answers: false }).await, Err(PoolError::NoAnswer));
    assert_eq!(pool.state().connections, 0, "the new one was midway too");
    assert_eq!(pool.run(Ask).await, Ok(4));
    manager.set(Attempt::Fails);
    let failed = ConnectError::Failed(Refusal(5));
    assert_eq!(pool.run(Reconnects { answers: true }).await, Ok(Err(failed)));
    assert_eq!(pool.run(Ask).await, Ok(4), "the old one stays");
    assert_eq!(pool.run(Reconnects { answers: true }).await, Ok(Err(failed)));
    assert_eq!(manager.attempts(), 5, "none so soon after a failure");
}

/// Like HTTP workers, each with its own runtime.
#[test]
fn connections_outlive_the_runtime_of_their_caller() {
    let main = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (pool, manager) = main.block_on(async { pool(&ONE) });
    for _caller in 0..3 {
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(pool.run(Ask)), Ok(1));
    }
    assert_eq!(manager.attempts(), 1);
}
