//! A server that cannot be reached.

use std::time::Duration;

use connection_pool::{ConnectError, PoolError, PoolSettings};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::support::{
    ACQUIRE, Ask, Attempt, CONNECT, CONNECT_LIMIT, Gate, Outcome, Pool, SETTINGS, pass, pool,
    refused, settle,
};

const QUARTER: Duration = Duration::from_millis(250);
const CROWD: PoolSettings = PoolSettings { max_waiting: 1_000, ..SETTINGS };

/// How much later than its limit the pool ends an attempt that hangs, and some.
const LATE: Duration = Duration::from_millis(150);

#[tokio::test(start_paused = true)]
async fn a_call_fails_as_soon_as_connecting_does_and_says_why() {
    let (pool, manager) = pool(&SETTINGS);
    manager.set(Attempt::Fails);
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, refused(1));
    assert!(before.elapsed() < 2 * CONNECT, "{:?}", before.elapsed());
    assert_eq!(pool.state().timeouts, 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_it_gets_one_attempt_in_a_quarter_of_a_second() {
    let (pool, manager) = pool(&SETTINGS);
    manager.set(Attempt::Fails);
    let before = Instant::now();
    let mut calls = 0;
    while before.elapsed() < 10 * QUARTER {
        assert!(matches!(pool.run(Ask).await, Err(PoolError::NotConnected(_))));
        calls += 1;
        pass(Duration::from_millis(1)).await;
    }
    assert!(calls > 1_000, "{calls}");
    assert!((9..=10).contains(&manager.attempts()), "{}", manager.attempts());
    manager.set(Attempt::Succeeds);
    pass(QUARTER).await;
    pool.run(Ask).await.unwrap();
}

async fn run_a_crowd(pool: &Pool) -> Vec<Outcome> {
    let mut calls = JoinSet::new();
    for _call in 0..1_000 {
        let pool = pool.clone();
        calls.spawn(async move { pool.run(Ask).await });
    }
    calls.join_all().await
}

#[tokio::test(start_paused = true)]
async fn a_crowd_shares_the_attempts() {
    let (pool, manager) = pool(&CROWD);
    manager.set(Attempt::Fails);
    let before = Instant::now();
    assert!(
        run_a_crowd(&pool)
            .await
            .iter()
            .all(|outcome| matches!(*outcome, Err(PoolError::NotConnected(_))))
    );
    assert!(before.elapsed() < 5 * CONNECT, "{:?}", before.elapsed());
    settle().await;
    assert_eq!(manager.attempts(), CROWD.size, "one for each connection");
    for round in 1..4 {
        pass(QUARTER).await;
        let failed = refused(CROWD.size + round);
        assert!(run_a_crowd(&pool).await.iter().all(|outcome| *outcome == failed));
        assert_eq!(manager.attempts(), CROWD.size + round, "one is enough to know");
    }
    manager.set(Attempt::Succeeds);
    pass(QUARTER).await;
    assert!(run_a_crowd(&pool).await.iter().all(Result::is_ok), "all wait for that one");
}

/// Starts a call that takes a connection of the pool until the gate opens.
async fn hold_one(pool: &Pool, gate: &Gate) -> JoinHandle<Outcome> {
    let (pool, held) = (pool.clone(), gate.call(0));
    let held = tokio::spawn(async move { pool.run(held).await });
    settle().await;
    held
}

/// Starts a call that waits while one connection is in use and the attempt to open another fails.
async fn wait_in_vain(pool: &Pool) -> JoinHandle<Outcome> {
    let (pool, attempts) = (pool.clone(), pool.manager().attempts());
    let asking = pool.clone();
    let waiting = tokio::spawn(async move { asking.run(Ask).await });
    settle().await;
    assert_eq!((pool.manager().attempts(), waiting.is_finished()), (attempts + 1, false));
    waiting
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_connection_in_use_although_connecting_fails() {
    let (pool, manager) = pool(&SETTINGS);
    let gate = Gate::new();
    let held = hold_one(&pool, &gate).await;
    manager.set(Attempt::Fails);
    let waiting = wait_in_vain(&pool).await;
    gate.open(1);
    assert_eq!((held.await.unwrap(), waiting.await.unwrap()), (Ok(1), Ok(1)));
    assert_eq!(manager.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_after_a_failed_attempt_makes_another() {
    let (pool, manager) = pool(&SETTINGS);
    let gate = Gate::new();
    let held = hold_one(&pool, &gate).await;
    manager.set(Attempt::Fails);
    let before = Instant::now();
    let waiting = wait_in_vain(&pool).await;
    manager.set(Attempt::Succeeds);
    assert_eq!(waiting.await.unwrap(), Ok(3));
    assert!(before.elapsed() < QUARTER + 4 * CONNECT, "{:?}", before.elapsed());
    assert_eq!(pool.run(Ask).await, Ok(3));
    gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_makes_one_attempt_in_a_quarter_of_a_second_until_its_limit() {
    let (pool, manager) = pool(&SETTINGS);
    let gate = Gate::new();
    let held = hold_one(&pool, &gate).await;
    manager.set(Attempt::Fails);
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneFree));
    assert!(before.elapsed() < ACQUIRE + CONNECT, "{:?}", before.elapsed());
    assert!((7..=9).contains(&manager.attempts()), "{}", manager.attempts());
    gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_connecting_is_a_failed_attempt() {
    let (pool, manager) = pool(&SETTINGS);
    manager.set(Attempt::Panics);
    for round in 1..=2 * SETTINGS.size {
        let outcome = pool.run(Ask).await;
        assert_eq!(outcome, Err(PoolError::NotConnected(ConnectError::Panicked)));
        assert_eq!(manager.attempts(), round);
        pass(QUARTER).await;
    }
    manager.set(Attempt::Succeeds);
    assert_eq!(pool.run(Ask).await, Ok(2 * SETTINGS.size + 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_ends_at_its_limit() {
    let (pool, manager) = pool(&PoolSettings { size: 1, ..SETTINGS });
    manager.set(Attempt::Hangs);
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneReady));
    assert_eq!(pool.run(Ask).await, Err(PoolError::NotConnected(ConnectError::TimedOut)));
    let after = before.elapsed();
    assert!(after >= CONNECT_LIMIT && after < CONNECT_LIMIT + LATE, "{after:?}");
    manager.set(Attempt::Succeeds);
    pass(QUARTER).await;
    assert_eq!(pool.run(Ask).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_in_time_the_error_is_not_that_all_are_in_use() {
    let (pool, _) = pool(&PoolSettings { acquire: CONNECT / 2, ..SETTINGS });
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneReady));
    assert_eq!(pool.state().timeouts, 1);
}
