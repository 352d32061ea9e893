//! Bounds, turns and what a pool reports of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use connection_pool::{Meter, PoolError, PoolSettings, PoolState};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{ACQUIRE, Ask, Gate, Manager, Outcome, Pool, SETTINGS, pool, pool_of, settle};

const ONE: PoolSettings = PoolSettings { size: 1, ..SETTINGS };

/// Starts calls in the order of their names.
async fn start(pool: &Pool, gate: &Gate, names: std::ops::Range<u32>) -> JoinSet<Outcome> {
    let mut calls = JoinSet::new();
    for name in names {
        let (pool, call) = (pool.clone(), gate.call(name));
        calls.spawn(async move { pool.run(call).await });
        tokio::task::yield_now().await;
    }
    settle().await;
    calls
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_limit_of_waiters_is_refused_at_once() {
    let (pool, _) = pool(&SETTINGS);
    let gate = Gate::new();
    let calls = start(&pool, &gate, 0..5).await;
    assert_eq!((pool.state().connections, pool.state().waiting), (2, 3));
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::TooManyWaiting));
    assert_eq!(before.elapsed(), Duration::ZERO);
    gate.open(5);
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    pool.run(Ask).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_are_served_in_order_of_arrival() {
    let (pool, _) = pool(&PoolSettings { max_waiting: 9, ..ONE });
    let gate = Gate::new();
    let calls = start(&pool, &gate, 0..10).await;
    gate.open(10);
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    let in_turn = (0..10).flat_map(|name| [format!("{name} begins"), format!("{name} ends")]);
    assert_eq!(gate.notes(), in_turn.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_limit_and_no_longer() {
    let (pool, _) = pool(&ONE);
    let gate = Gate::new();
    let calls = start(&pool, &gate, 0..1).await;
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneFree));
    assert!(before.elapsed() >= ACQUIRE && before.elapsed() < ACQUIRE + Duration::from_millis(5));
    assert_eq!(pool.state().timeouts, 1);
    gate.open(1);
    assert_eq!(calls.join_all().await, [Ok(1)]);
}

#[tokio::test(start_paused = true)]
async fn the_state_counts_connections_waiters_and_timeouts() {
    let (pool, _) = pool(&PoolSettings { min_idle: 2, ..SETTINGS });
    settle().await;
    let idle = PoolState { size: 2, connections: 2, idle: 2, waiting: 0, timeouts: 0 };
    assert_eq!(pool.state(), idle);
    let gate = Gate::new();
    let calls = start(&pool, &gate, 0..5).await;
    assert_eq!(pool.state(), PoolState { idle: 0, waiting: 3, ..idle });
    pool.run(Ask).await.unwrap_err();
    assert_eq!(pool.state(), PoolState { idle: 0, waiting: 3, timeouts: 1, ..idle });
    tokio::time::sleep(ACQUIRE).await;
    assert_eq!(pool.state(), PoolState { idle: 0, timeouts: 4, ..idle });
    gate.open(2);
    assert_eq!(calls.join_all().await.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert_eq!(pool.state(), PoolState { timeouts: 4, ..idle });
}

#[tokio::test(start_paused = true)]
async fn pools_that_share_a_meter_count_their_waiters_together() {
    let (meter, manager) = (Arc::<Meter>::default(), Manager::default());
    let pools = [(); 2].map(|()| pool_of(&manager, &ONE, Arc::clone(&meter)));
    let gate = Gate::new();
    let calls = [start(&pools[0], &gate, 0..2).await, start(&pools[1], &gate, 2..5).await];
    let mut state = meter.state();
    assert_eq!((state.size, state.waiting), (0, 3));
    pools.iter().for_each(|pool| pool.add_to(&mut state));
    let both = PoolState { size: 2, connections: 2, idle: 0, waiting: 3, timeouts: 0 };
    assert_eq!(state, both);
    gate.open(5);
    for calls in calls {
        assert!(calls.join_all().await.iter().all(Result::is_ok));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_listener_gets_every_wait() {
    let (pool, _) = pool(&PoolSettings { min_idle: 1, ..ONE });
    settle().await;
    let waits = Arc::<Mutex<Vec<Duration>>>::default();
    let received = Arc::clone(&waits);
    pool.meter().on_wait(Arc::new(move |wait| received.lock().unwrap().push(wait)));
    pool.meter().on_wait(Arc::new(|_| panic!("only the first listener is kept")));
    let gate = Gate::new();
    let calls = start(&pool, &gate, 0..4).await;
    pool.run(Ask).await.unwrap_err();
    assert_eq!(*waits.lock().unwrap(), [Duration::ZERO], "the others wait, or were refused");
    tokio::time::sleep(ACQUIRE).await;
    let reported = waits.lock().unwrap().clone();
    assert_eq!(reported.len(), 4);
    assert!(reported[1..].iter().all(|wait| *wait >= ACQUIRE), "{reported:?}");
    gate.open(1);
    drop(calls);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_costs_no_call_its_answer() {
    let (pool, _) = pool(&ONE);
    pool.meter().on_wait(Arc::new(|_| panic!("as the test wants")));
    assert_eq!(pool.run(Ask).await, Ok(1));
    assert_eq!((pool.run(Ask).await, pool.state().waiting), (Ok(1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_pool_has_at_least_one_connection() {
    let (pool, _) = pool(&PoolSettings { size: 0, max_waiting: 0, ..SETTINGS });
    assert_eq!((pool.run(Ask).await, pool.state().size), (Ok(1), 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_are_kept_ready_than_the_pool_may_have() {
    let (pool, _) = pool(&PoolSettings { min_idle: 9, ..SETTINGS });
    settle().await;
    assert_eq!((pool.state().connections, pool.state().idle), (2, 2));
}
