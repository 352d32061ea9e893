//! The effects that tokens of visitors can have on a queue. Such tokens can come from a rehearsal.

use std::time::Duration;

use domain::queue::{
    Incarnation, PlaceStatus, PolicySpec, QueueCounters, QueueNumber, QueueState, Shown,
    TokenClaims, UserId,
};

use super::QueueFixture;
use super::scenario::{EVERY, Scenario, usual};
use crate::{RuleResult, Violation, ensure, ensure_eq};

/// An incarnation earlier than that of any queue here.
const REHEARSAL: u64 = 7;

fn shown(life: u64, number: u64) -> Result<Shown, Violation> {
    Ok(Shown { incarnation: Incarnation::new(life)?, number: QueueNumber::new(number)? })
}

fn place(sale: &Scenario, life: u64, user: u64, number: u64) -> Result<TokenClaims, Violation> {
    let Shown { incarnation, number } = shown(life, number)?;
    Ok(TokenClaims { incarnation, number, user: UserId::new(user)?, ..sale.place(1, 1)? })
}

/// A policy under which every user waits.
fn standstill() -> PolicySpec {
    PolicySpec { batch: 1, every: EVERY * 3_600, ..usual() }
}

/// However many tokens of a rehearsal are shown, every user who joins gets a number at once, no
/// position counts numbers that have no holder, and only real users fill the queue.
///
/// # Errors
/// The violation, if any.
pub async fn visitors_do_not_block_joins(fixture: &dyn QueueFixture) -> RuleResult {
    const JOINERS: u64 = 20;
    let sale = Scenario::open(fixture, PolicySpec { max_waiting: 30, ..standstill() }).await?;
    let before = sale.snapshot().await?;
    for n in 1..=JOINERS {
        let higher = shown(REHEARSAL, n * 50_000)?;
        let seen = sale.node(n).call_next(QueueCounters::default(), Some(higher)).await?.snapshot;
        ensure_eq(
            (seen.generation, seen.recovers),
            (before.generation, false),
            "the store after a token",
        )?;
        let joined = sale.join(n).await?;
        let seen = sale.snapshot().await?;
        let position = seen.vacant.position_of(joined.number, seen.counters).get();
        ensure(position <= n, || format!("position {position} after {n} joins"))?;
    }
    let seen = sale.snapshot().await?;
    let waiting = seen.vacant.people_waiting(seen.counters);
    ensure(waiting <= JOINERS, || format!("{waiting} people wait after {JOINERS} joins"))
}

/// A new store adopts the incarnation of the first token that it sees, and no other; after a few
/// seconds it adopts none. Places of any other incarnation are gone.
///
/// # Errors
/// The violation, if any.
pub async fn one_incarnation_is_adopted_within_a_short_time(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, standstill()).await?;
    ensure(sale.snapshot().await?.adopts, || "a new store adopts nothing".to_owned())?;
    let first = place(&sale, REHEARSAL, 1, 5)?;
    ensure_eq(sale.place_status(&first).await?, PlaceStatus::Waiting, "the first token")?;
    let seen = sale.snapshot().await?;
    let is_adopted = seen.incarnations.contains(first.incarnation);
    ensure_eq(
        (is_adopted, seen.adopts),
        (true, false),
        "whether it is adopted, and whether another could be",
    )?;
    let second = place(&sale, REHEARSAL + 1, 2, 6)?;
    ensure_eq(
        sale.place_status(&second).await?,
        PlaceStatus::Gone,
        "a token of a third incarnation",
    )?;
    let higher = shown(REHEARSAL + 1, 90_000)?;
    let after = sale.node(1).call_next(QueueCounters::default(), Some(higher)).await?.snapshot;
    ensure_eq(
        (after.counters, after.incarnations),
        (seen.counters, seen.incarnations),
        "the queue after it",
    )?;
    ensure_eq(
        sale.join(1).await?.number,
        first.number,
        "the first user's place, without the token",
    )?;
    let next = sale.join(3).await?.number.get();
    ensure(next > first.number.get(), || format!("{next} was given after 5 was shown"))?;

    let sale = Scenario::open(fixture, standstill()).await?;
    sale.advance(QueueState::ADOPTION + Duration::from_secs(1)).await;
    let seen = sale.snapshot().await?;
    ensure(!seen.adopts, || "a store adopts for too long".to_owned())?;
    ensure_eq(
        sale.place_status(&first).await?,
        PlaceStatus::Gone,
        "a token that arrives too late",
    )?;
    let joined = sale.try_join_with(1, Some(shown(REHEARSAL, 5)?)).await?;
    ensure_eq((joined.number.get(), joined.rejoined), (1, false), "joining with such a token")?;
    ensure_eq(
        sale.snapshot().await?.incarnations,
        seen.incarnations,
        "the incarnations of the queue",
    )
}

/// Holders of tokens from a lost store are called in the order of their numbers, once all of them
/// have had time to show their tokens.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_calls_token_holders_in_order(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let places = [40, 7, 300].map(|number| place(&sale, REHEARSAL, number, number));
    let [forty, seven, last] = places;
    let (forty, seven, last) = (forty?, seven?, last?);
    for waits in [&forty, &seven, &last] {
        ensure_eq(
            sale.place_status(waits).await?,
            PlaceStatus::Waiting,
            "a token of the lost store",
        )?;
    }
    let called = sale.node(0).call_next(QueueCounters::default(), None).await?.count;
    ensure_eq(called, 0, "people called while more tokens can arrive")?;
    sale.advance(QueueState::ADOPTION + Duration::from_secs(1)).await;
    let called = sale.node(0).call_next(QueueCounters::default(), None).await?.count;
    ensure_eq(called, 2, "people called after that, into two slots")?;
    ensure_eq(sale.inside(&[seven, forty]).await?, 2, "the first two among those called")?;
    ensure_eq(sale.place_status(&last).await?, PlaceStatus::Waiting, "the third")
}
