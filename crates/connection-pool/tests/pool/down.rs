//! A server that cannot be reached.

use std::time::Duration;

use connection_pool::{PoolError, PoolSettings};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Ask, CONNECT, Gate, Refusal, SETTINGS, pass, pool, settle};

const QUARTER: Duration = Duration::from_millis(250);
const CROWD: PoolSettings = PoolSettings { max_waiting: 1_000, ..SETTINGS };

#[tokio::test(start_paused = true)]
async fn a_call_fails_as_soon_as_connecting_does_and_says_why() {
    let (pool, manager) = pool(&SETTINGS);
    manager.set_down(true);
    let before = Instant::now();
    assert_eq!(pool.run(Ask).await, Err(PoolError::NotConnected(Refusal(1))));
    assert!(before.elapsed() < 2 * CONNECT, "{:?}", before.elapsed());
    assert_eq!(pool.state().timeouts, 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_it_gets_one_attempt_in_a_quarter_of_a_second() {
    let (pool, manager) = pool(&SETTINGS);
    manager.set_down(true);
    let before = Instant::now();
    let mut calls = 0;
    while before.elapsed() < 10 * QUARTER {
        assert!(matches!(pool.run(Ask).await, Err(PoolError::NotConnected(_))));
        calls += 1;
        pass(Duration::from_millis(1)).await;
    }
    assert!(calls > 1_000, "{calls}");
    assert!((9..=10).contains(&manager.attempts()), "{}", manager.attempts());
    manager.set_down(false);
    pass(QUARTER).await;
    pool.run(Ask).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_crowd_fails_together_without_an_attempt_for_each() {
    let (pool, manager) = pool(&CROWD);
    manager.set_down(true);
    let before = Instant::now();
    let mut calls = JoinSet::new();
    for _call in 0..1_000 {
        let pool = pool.clone();
        calls.spawn(async move { pool.run(Ask).await });
    }
    for outcome in calls.join_all().await {
        assert!(matches!(outcome, Err(PoolError::NotConnected(_))), "{outcome:?}");
    }
    assert!(before.elapsed() < 5 * CONNECT, "{:?}", before.elapsed());
    settle().await;
    assert!(manager.attempts() <= 2 * CROWD.size, "{}", manager.attempts());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_connection_in_use_although_connecting_fails() {
    let (pool, manager) = pool(&SETTINGS);
    let gate = Gate::new();
    let (asking, held) = (pool.clone(), gate.call(0));
    let held = tokio::spawn(async move { asking.run(held).await });
    settle().await;
    manager.set_down(true);
    let asking = pool.clone();
    let waiting = tokio::spawn(async move { asking.run(Ask).await });
    settle().await;
    assert_eq!((manager.attempts(), waiting.is_finished()), (2, false));
    gate.open(1);
    assert_eq!((held.await.unwrap(), waiting.await.unwrap()), (Ok(1), Ok(1)));
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_in_time_the_error_is_not_that_all_are_in_use() {
    let (pool, _) = pool(&PoolSettings { acquire: CONNECT / 2, ..SETTINGS });
    assert_eq!(pool.run(Ask).await, Err(PoolError::NoneReady));
    assert_eq!(pool.state().timeouts, 1);
}
