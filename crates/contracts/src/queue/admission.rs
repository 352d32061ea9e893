//! Rules 3, 4 and 5: order, limit and rate.

use std::time::Duration;

use domain::queue::{PlaceStatus, PolicySpec, QueueTime, TokenClaims};

use super::QueueFixture;
use super::scenario::{BATCH, EVERY, SESSION_TTL, Scenario, usual};
use crate::{RuleResult, Violation, ensure, ensure_eq};

/// While users join and many tasks call concurrently, `serving` only grows, and every called number
/// is lower than every number not called.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_calls_people_in_the_order_of_their_numbers(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    // Calls outlast the test.
    let sale =
        Scenario::open(fixture, PolicySpec { claim_within: Duration::from_secs(600), ..usual() })
            .await?;
    let (mut places, mut serving) = (Vec::new(), 0);
    for round in 0..10_u64 {
        let joins = sale.join_storm(round * 10 + 1..=round * 10 + 10);
        let (joined, called) = tokio::join!(joins, sale.call_storm(16));
        called?;
        for (user, joined) in joined? {
            places.push(sale.place(user, joined.number.get())?);
        }
        let counters = sale.snapshot().await?.counters;
        ensure(counters.serving() >= serving, || {
            format!("serving went back from {serving} to {}", counters.serving())
        })?;
        serving = counters.serving();
        for place in &places {
            let is_called = matches!(sale.place_status(place).await?, PlaceStatus::Called { .. });
            let should_be = place.number.get() <= serving;
            ensure_eq(
                is_called,
                should_be,
                &format!("whether {} is called at serving {serving}", place.number),
            )?;
        }
        sale.advance(EVERY).await;
    }
    ensure(serving >= u64::from(9 * BATCH), || {
        format!("only {serving} people were called in ten intervals")
    })
}

/// While users join, claim, leave and lapse concurrently, calls and sessions together stay within
/// the limit.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_never_admits_more_than_max_active(fixture: &dyn QueueFixture) -> RuleResult {
    let limit = 12;
    let sale =
        Scenario::open(fixture, PolicySpec { batch: 50, max_active: limit, ..usual() }).await?;
    let mut places: Vec<TokenClaims> = Vec::new();
    let mut max = 0;
    for round in 0..10_u64 {
        for (user, joined) in sale.join_storm(round * 20 + 1..=round * 20 + 20).await? {
            places.push(sale.place(user, joined.number.get())?);
        }
        sale.call_storm(16).await?;
        max = max.max(check_limit(&sale, &places, limit).await?);
        use_some(&sale, &places, round).await?;
        sale.call_storm(16).await?;
        max = max.max(check_limit(&sale, &places, limit).await?);
        sale.advance(EVERY / 2).await;
    }
    ensure_eq(max, u64::from(limit), "the most people inside at once, while more wait")
}

async fn check_limit(
    sale: &Scenario,
    places: &[TokenClaims],
    limit: u32,
) -> Result<u64, Violation> {
    let inside = sale.inside(places).await?;
    ensure(inside <= u64::from(limit), || format!("{inside} people are inside, limit {limit}"))?;
    let snapshot = sale.snapshot().await?;
    let reported = snapshot.called + snapshot.active;
    ensure(reported <= u64::from(limit), || {
        format!("the store reports {reported} inside, limit {limit}")
    })?;
    Ok(inside)
}

/// Every second called user claims and every third leaves, all concurrently.
async fn use_some(sale: &Scenario, places: &[TokenClaims], round: u64) -> RuleResult {
    let tasks = places.iter().enumerate().map(|(n, place)| {
        let (node, place) = (sale.node(n as u64), *place);
        let choice = n as u64 + round;
        tokio::spawn(async move {
            let is_called = matches!(node.place_status(&place).await?, PlaceStatus::Called { .. });
            if is_called && choice.is_multiple_of(2) {
                // The call may have lapsed; this rule checks only the limit.
                let _ = node.claim(&place).await;
            }
            if is_called && choice.is_multiple_of(3) {
                let _ = node.release(&place).await;
            }
            Ok::<_, Violation>(())
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        task??;
    }
    Ok(())
}

/// While many tasks call continuously, no window of `n` intervals contains more than
/// `(n + 1) x batch` calls.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_every_window_within_its_budget(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let before = sale.snapshot().await?;
    // (time before the calls, serving before the calls, time after them, serving after them)
    let mut steps: Vec<(QueueTime, u64, QueueTime, u64)> = Vec::new();
    let mut last = (before.at, before.counters.serving());
    sale.join_storm(1..=200).await?;
    for pause in [0, 100, 700, 50, 1_500, 333, 20, 980, 400, 10, 1_000, 5, 600] {
        sale.advance(Duration::from_millis(pause)).await;
        let at = sale.snapshot().await?.at;
        sale.call_storm(16).await?;
        let after = sale.snapshot().await?;
        steps.push((last.0.max(at), last.1, after.at, after.counters.serving()));
        last = (after.at, after.counters.serving());
    }
    check_windows(before.at, &steps)
}

fn check_windows(start: QueueTime, steps: &[(QueueTime, u64, QueueTime, u64)]) -> RuleResult {
    for (i, first) in steps.iter().enumerate() {
        // The joins before the first step called people too.
        let from = if i == 0 { start } else { first.0 };
        for last in &steps[i..] {
            let length = last.2.since(from);
            let intervals = length.as_nanos() / EVERY.as_nanos() + 1;
            let called = u128::from(last.3 - first.1);
            let allowed = (intervals + 1) * u128::from(BATCH);
            ensure(called <= allowed, || {
                format!("{called} people called within {length:?}, limit {allowed}")
            })?;
        }
    }
    Ok(())
}

/// After a long idle time a burst of joins finds one batch, not the whole unused budget.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_saves_no_more_than_one_batch(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { every: 2 * EVERY, ..usual() }).await?;
    for _ in 0..8 {
        sale.call_storm(4).await?;
        sale.advance(EVERY).await;
    }
    sale.join_storm(1..=50).await?;
    sale.call_storm(4).await?;
    let serving = sale.snapshot().await?.counters.serving();
    // One more if time passes while people join.
    let allowed = u64::from(BATCH)..=u64::from(BATCH) + 1;
    ensure(allowed.contains(&serving), || {
        format!("after an idle time {serving} people were called at once")
    })
}

/// A join within budget in an empty queue is called at once.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_calls_a_join_in_an_empty_queue_at_once(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale =
        Scenario::open(fixture, PolicySpec { every: Duration::from_secs(60), ..usual() }).await?;
    for user in 1..=u64::from(BATCH) {
        let joined = sale.try_join(user).await?;
        let is_called = matches!(joined.place_status, PlaceStatus::Called { .. });
        ensure(is_called, || {
            format!(
                "user {user} joined an empty queue within budget and is {:?}",
                joined.place_status
            )
        })?;
        ensure(joined.counters.has_called(joined.number), || {
            format!("called, but the queue is at {:?}", joined.counters)
        })?;
    }
    let beyond = sale.try_join(100).await?;
    ensure_eq(beyond.place_status, PlaceStatus::Waiting, "a join beyond the budget")
}

/// While people wait and slots are free, the whole budget is used: one batch at once, then one per
/// interval.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_uses_the_whole_budget_while_people_wait(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    sale.join_storm(1..=100).await?;
    for intervals in 1..=4 {
        sale.advance(EVERY).await;
        sale.call_storm(4).await?;
        let (serving, due) =
            (sale.snapshot().await?.counters.serving(), u64::from(BATCH) * (intervals + 1));
        ensure(serving >= due, || {
            format!("{serving} people were called in {intervals} intervals, budget {due}")
        })?;
    }
    // Slots never ran out: a session outlives the test.
    ensure(SESSION_TTL > EVERY, || "sessions are longer than an interval".to_owned())
}
