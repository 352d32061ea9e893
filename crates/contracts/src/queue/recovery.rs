//! The facts that a token or a checkpoint proves to a store.

use std::time::Duration;

use domain::queue::{Checkpoint, ClaimError, Joined, PlaceStatus, PolicySpec, QueueCounters};

use super::QueueFixture;
use super::scenario::{EVERY, Scenario, usual};
use crate::{RuleResult, Violation, ensure, ensure_eq};

async fn join_with(sale: &Scenario, user: u64, number: u64) -> Result<Joined, Violation> {
    let shown = sale.shown(number)?;
    Ok(sale.try_join_with(user, Some(shown)).await?)
}

/// The number in a token finds its place, even if the store does not know the holder. If a user has
/// two places, the older one stays and the younger ends. Another user's number finds nothing.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_finds_the_place_of_a_token(fixture: &dyn QueueFixture) -> RuleResult {
    let spec = PolicySpec { batch: 1, every: EVERY * 3_600, ..usual() };
    let sale = Scenario::open(fixture, spec).await?;
    sale.join(1).await?;
    let place = sale.join(2).await?;
    let again = join_with(&sale, 2, place.number.get()).await?;
    ensure_eq((again.number, again.rejoined), (place.number, true), "the place of a known holder")?;
    // A lost store gave the numbers up to 40.
    sale.node(0).snapshot(QueueCounters::new(40, 0)).await?;
    sale.recover().await;
    let found = join_with(&sale, 50, 20).await?;
    ensure_eq((found.number.get(), found.rejoined), (20, true), "the place of an unknown holder")?;
    let younger = sale.join(51).await?;
    ensure_eq(younger.number.get(), 41, "the number of a user without a token")?;
    let older = join_with(&sale, 51, 30).await?;
    ensure_eq((older.number.get(), older.rejoined), (30, true), "the older of two places")?;
    ensure_eq(sale.place_status(&younger).await?, PlaceStatus::Gone, "the younger of two places")?;
    ensure_eq(sale.join(51).await?.number.get(), 30, "the place found later without a token")?;
    let stranger = join_with(&sale, 52, 20).await?;
    ensure_eq((stranger.number.get(), stranger.rejoined), (42, false), "with another user's number")
}

/// A user who claims with the tokens of two places gets one session, for the older place; the
/// younger ends, whichever is claimed first.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_gives_a_user_one_session(fixture: &dyn QueueFixture) -> RuleResult {
    let spec = PolicySpec {
        claim_within: Duration::from_secs(600),
        session_ttl: Duration::from_secs(600),
        ..usual()
    };
    let sale = Scenario::open(fixture, spec).await?;
    // A lost store gave and called the numbers up to 40.
    sale.node(0).snapshot(QueueCounters::new(40, 40)).await?;
    sale.recover().await;
    let (older, younger) = (sale.place(50, 20)?, sale.join(50).await?);
    sale.claim(&younger).await?;
    sale.claim(&older).await?;
    ensure_eq(sale.snapshot().await?.active, 1, "sessions after claiming the younger place first")?;
    ensure_eq(sale.place_status(&younger).await?, PlaceStatus::Gone, "the younger of two places")?;
    ensure_eq(sale.join(50).await?.number, older.number, "the place found later")?;
    let (older, younger) = (sale.place(51, 21)?, sale.join(51).await?);
    sale.claim(&older).await?;
    let claimed = sale.claim(&younger).await;
    ensure(matches!(claimed, Err(ClaimError::Gone)), || format!("the younger, last: {claimed:?}"))?;
    ensure_eq(sale.snapshot().await?.active, 2, "sessions of both")?;
    // The store does not know the younger place.
    let older = sale.join(52).await?;
    sale.node(0).snapshot(QueueCounters::new(60, 60)).await?;
    sale.recover().await;
    let younger = sale.place(52, 55)?;
    let claimed = sale.claim(&younger).await;
    ensure(matches!(claimed, Err(ClaimError::Gone)), || {
        format!("the younger, first: {claimed:?}")
    })?;
    sale.claim(&older).await?;
    let seen = sale.snapshot().await?;
    ensure_eq(seen.active, 3, "sessions of all three")?;
    // A place that has ended does not count.
    sale.release(&older).await?;
    let left = sale.place(52, 56)?;
    sale.claim(&left).await?;
    Ok(())
}

/// A checkpoint ahead of the store is applied once in each generation, however often and from
/// whichever node it is settled: numbers continue above its ceiling, and skipped numbers have no
/// holder.
///
/// # Errors
/// The violation, if any.
pub async fn checkpoints_are_applied_once(fixture: &dyn QueueFixture) -> RuleResult {
    let spec = PolicySpec { batch: 1, every: EVERY * 3_600, ..usual() };
    let sale = Scenario::open(fixture, spec).await?;
    let generation = sale.snapshot().await?.generation;
    let checkpoint = Some(Checkpoint::new(QueueCounters::new(10, 8), 50));
    sale.node(0).settle(generation + 1, checkpoint).await?;
    let before = sale.snapshot().await?;
    ensure_eq(
        (before.counters, before.is_settled),
        (QueueCounters::START, false),
        "the queue after a checkpoint for another generation",
    )?;
    for node in 0..3 {
        sale.node(node).settle(generation, checkpoint).await?;
    }
    let settled = sale.snapshot().await?;
    ensure(settled.is_settled, || {
        "the store does not report that a checkpoint was read".to_owned()
    })?;
    ensure_eq(
        settled.counters,
        QueueCounters::new(50, 8),
        "the queue after a checkpoint of 10, 8 and a ceiling of 50",
    )?;
    let later = Some(Checkpoint::new(QueueCounters::new(50, 8), 150));
    sale.node(1).settle(settled.generation, later).await?;
    let joined = sale.join(1).await?;
    ensure_eq(
        joined.number.get(),
        51,
        "the next number, after a second checkpoint in this generation",
    )?;
    let seen = sale.snapshot().await?;
    ensure_eq(seen.vacant.people_waiting(seen.counters), 3, "people waiting: 9, 10 and 51")?;
    ensure_eq(
        seen.vacant.position_of(joined.number, seen.counters).get(),
        3,
        "the position of 51",
    )?;
    // The holder of a skipped number: it was given just before everything was lost.
    let found = join_with(&sale, 2, 20).await?;
    ensure_eq(
        (found.number.get(), found.rejoined),
        (20, true),
        "a skipped number whose holder returns",
    )
}

/// Users who left do not count against `max_waiting`.
///
/// # Errors
/// The violation, if any.
pub async fn rule_9_counts_people_against_the_limit(fixture: &dyn QueueFixture) -> RuleResult {
    let spec = PolicySpec { max_active: 1, max_waiting: 3, ..usual() };
    let sale = Scenario::open(fixture, spec).await?;
    sale.join(1).await?;
    for user in 2..12 {
        let place = sale.join(user).await?;
        sale.release(&place).await?;
    }
    sale.join_each(12..=14).await?;
    let beyond = sale.try_join(15).await;
    ensure(beyond.is_err(), || format!("a fourth waiting user was answered {beyond:?}"))
}
