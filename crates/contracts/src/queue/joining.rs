//! Rules 1 and 2: numbers are unique, and a user has one place.

use std::time::Duration;

use domain::queue::{NumberBounds, PlaceStatus, PolicySpec, UserId};

use super::QueueFixture;
use super::scenario::{CLAIM_WITHIN, SESSION_TTL, Scenario, distinct, usual};
use crate::{RuleResult, ensure, ensure_eq};

/// A thousand concurrent joins on all nodes get a thousand distinct numbers, and `last` is the
/// highest of them.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_gives_no_number_twice(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let joined = sale.join_storm(1..=1_000).await?;
    ensure_eq(distinct(&joined), 1_000, "distinct numbers given to 1,000 users")?;
    let highest = joined.iter().map(|(_, joined)| joined.number.get()).max();
    ensure_eq(Some(sale.snapshot().await?.counters.last()), highest, "the highest number given")
}

/// Joining again finds the same place while it is waiting, called or active.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_gives_a_returning_user_the_same_number(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let [active, called, waiting] = [1, 2, 3];
    let places = sale.join_each([active, called, waiting]).await?;
    sale.claim(&places[0]).await?;
    let expected = |s: PlaceStatus| match s {
        PlaceStatus::Active { .. } => active,
        PlaceStatus::Called { .. } => called,
        PlaceStatus::Waiting => waiting,
        PlaceStatus::Gone => 0,
    };
    for place in &places {
        let again = sale.try_join(place.user.get()).await?;
        ensure_eq(again.number, place.number, "the number found by joining again")?;
        ensure(again.rejoined, || format!("joining again returned the held {place:?} as new"))?;
        ensure_eq(
            expected(again.place_status),
            place.user.get(),
            "the status found by joining again",
        )?;
    }
    ensure_eq(sale.snapshot().await?.counters.last(), 3, "numbers given in all")
}

/// A hundred concurrent joins of one user on all nodes give one number, once.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_gives_one_user_one_number_under_concurrency(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let tasks = (0..100).map(|n| {
        let node = sale.node(n);
        tokio::spawn(async move {
            node.join(UserId::new(7).unwrap_or_else(|_| unreachable!()), None, NumberBounds::NONE)
                .await
        })
    });
    let mut joined = Vec::new();
    for task in futures_util::future::join_all(tasks).await {
        joined.push((7, task??));
    }
    ensure_eq(distinct(&joined), 1, "distinct numbers given to one user")?;
    let fresh = joined.iter().filter(|(_, joined)| !joined.rejoined).count();
    ensure_eq(fresh, 1, "joins that report a new number")?;
    ensure_eq(sale.snapshot().await?.counters.last(), 1, "numbers given in all")
}

/// A place that lapsed, ended or was left is no longer held: its user goes to the end of the queue.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_gives_a_fresh_number_once_a_place_has_ended(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 3, ..usual() }).await?;
    let [lapses, ends, released, leaves] = [1, 2, 3, 4];
    let places = sale.join_each([lapses, ends, released, leaves]).await?;
    sale.claim(&places[1]).await?;
    sale.claim(&places[2]).await?;
    sale.release(&places[2]).await?;
    sale.release(&places[3]).await?;
    sale.advance(CLAIM_WITHIN.max(SESSION_TTL) + Duration::from_millis(1)).await;
    for place in &places {
        let again = sale.try_join(place.user.get()).await?;
        ensure(again.number > place.number && !again.rejoined, || {
            format!("after {place:?} ended, joining again returned {again:?}")
        })?;
    }
    Ok(())
}
