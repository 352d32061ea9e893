//! Which connections are kept, and which are closed.

use std::time::{Duration, Instant};

use connection_pool::{PoolError, PoolSettings};

use crate::support::{ACQUIRE, Ask, Gate, SETTINGS, pass, pool, settle};

const ONE: PoolSettings = PoolSettings { size: 1, ..SETTINGS };

/// How often bb8 looks for connections to close, and some.
const REAPED: Duration = Duration::from_millis(1_100);

/// Lets real time pass, by which bb8 measures the age of connections.
async fn age() {
    let before = Instant::now();
    while before.elapsed() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_idle_for_too_long_is_closed() {
    let (pool, manager) = pool(&PoolSettings { idle: Duration::from_millis(1), ..ONE });
    assert_eq!(pool.run(Ask).await, Ok(1));
    age().await;
    pass(REAPED).await;
    assert_eq!((pool.state().connections, manager.attempts()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_past_its_lifetime_is_closed() {
    let (pool, manager) = pool(&PoolSettings { lifetime: Duration::from_millis(1), ..ONE });
    let gate = Gate::new();
    gate.open(1);
    assert_eq!(pool.run(gate.call(0)).await, Ok(1));
    age().await;
    pass(REAPED).await;
    assert_eq!((pool.state().connections, manager.attempts()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_past_its_lifetime_is_closed_when_it_returns() {
    let (pool, _) = pool(&PoolSettings { lifetime: Duration::from_millis(1), ..ONE });
    let (asking, gate) = (pool.clone(), Gate::new());
    let call = gate.call(0);
    let call = tokio::spawn(async move { asking.run(call).await });
    settle().await;
    age().await;
    gate.open(1);
    assert_eq!((call.await.unwrap(), pool.state().connections), (Ok(1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_within_its_limits_is_kept() {
    let (pool, manager) = pool(&ONE);
    for _call in 0..5 {
        assert_eq!(pool.run(Ask).await, Ok(1));
        pass(REAPED).await;
    }
    assert_eq!((pool.state().idle, manager.attempts()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_returned_last_serves_the_next_call() {
    let (pool, _) = pool(&SETTINGS);
    let gate = Gate::new();
    let mut calls = Vec::new();
    for name in 0..2 {
        let (pool, call) = (pool.clone(), gate.call(name));
        calls.push(tokio::spawn(async move { pool.run(call).await }));
        settle().await;
    }
    for (number, call) in (1..).zip(calls) {
        gate.open(1);
        assert_eq!(call.await.unwrap(), Ok(number));
    }
    assert_eq!((pool.run(Ask).await, pool.run(Ask).await), (Ok(2), Ok(2)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_its_manager_calls_broken_is_closed() {
    let (pool, manager) = pool(&ONE);
    manager.set_broken(true);
    assert_eq!((pool.run(Ask).await, pool.state().connections), (Ok(1), 0));
    manager.set_broken(false);
    assert_eq!((pool.run(Ask).await, pool.state().connections), (Ok(2), 1));
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_panics_over_a_connection_has_it_closed() {
    let (pool, manager) = pool(&ONE);
    manager.set_has_broken_panics(true);
    assert_eq!((pool.run(Ask).await, pool.state().connections), (Ok(1), 0));
    manager.set_has_broken_panics(false);
    assert_eq!(pool.run(Ask).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_fails_its_check_is_replaced() {
    let (pool, manager) = pool(&ONE);
    assert_eq!(pool.run(Ask).await, Ok(1));
    manager.set_invalid(true);
    assert_eq!((pool.run(Ask).await, pool.state().connections), (Ok(2), 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_check_does_not_end_is_closed() {
    let (pool, manager) = pool(&ONE);
    assert_eq!(pool.run(Ask).await, Ok(1));
    manager.set_check_hangs(true);
    let before = tokio::time::Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneReady));
    assert!(before.elapsed() < ACQUIRE + Duration::from_millis(5));
    manager.set_check_hangs(false);
    assert_eq!(pool.run(Ask).await, Ok(2));
}
