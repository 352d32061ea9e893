//! Rules 6 and 7: the ends of calls, sessions and places, and their counts.

use std::time::Duration;

use domain::queue::{
    ClaimError, OutcomeCounts, PlaceStatus, PolicySpec, QueueCounters, QueueTime, ReleaseError,
    TokenClaims,
};

use super::QueueFixture;
use super::scenario::{BATCH, Scenario, usual};
use crate::{RuleResult, ensure, ensure_eq};

/// The claim time in tests that check its end closely.
const LONG_CALL: Duration = Duration::from_secs(40);
/// The session length in those tests.
const LONG_SESSION: Duration = Duration::from_secs(60);
/// The tolerance for a store that uses real time, on a busy machine.
const MARGIN: Duration = Duration::from_secs(10);

fn long() -> PolicySpec {
    PolicySpec { max_active: 1, claim_within: LONG_CALL, session_ttl: LONG_SESSION, ..usual() }
}

async fn is_called(sale: &Scenario, place: &TokenClaims) -> Result<bool, crate::Violation> {
    Ok(matches!(sale.place_status(place).await?, PlaceStatus::Called { .. }))
}

/// The kind of a place status and its end, without the remaining time, which changes.
fn end_of(place_status: PlaceStatus) -> (&'static str, Option<QueueTime>) {
    match place_status {
        PlaceStatus::Waiting => ("waiting", None),
        PlaceStatus::Called { until } => ("called", Some(until.at)),
        PlaceStatus::Active { until } => ("active", Some(until.at)),
        PlaceStatus::Gone => ("gone", None),
    }
}

/// A call stays open until shortly before `claim_within` and then lapses, and the next person gets
/// the slot.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_a_call_lapses_and_frees_its_slot(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, long()).await?;
    let places = sale.join_each([1, 2]).await?;
    sale.advance(LONG_CALL - MARGIN).await;
    sale.call_storm(4).await?;
    ensure(is_called(&sale, &places[0]).await?, || "the call lapsed before its time".to_owned())?;
    ensure_eq(
        sale.place_status(&places[1]).await?,
        PlaceStatus::Waiting,
        "the next person, while the slot is taken",
    )?;
    sale.advance(MARGIN).await;
    ensure_eq(
        sale.place_status(&places[0]).await?,
        PlaceStatus::Gone,
        "a call at the end of its time",
    )?;
    let claim = sale.claim(&places[0]).await;
    ensure(matches!(claim, Err(ClaimError::Gone)), || {
        format!("claiming a lapsed call gave {claim:?}")
    })?;
    sale.call_storm(4).await?;
    ensure(is_called(&sale, &places[1]).await?, || "the freed slot was not used".to_owned())
}

/// A session lasts `session_ttl` from its claim, whatever the end of the call was; then the next
/// person gets the slot.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_a_session_ends_and_frees_its_slot(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, long()).await?;
    let places = sale.join_each([1, 2]).await?;
    sale.claim(&places[0]).await?;
    sale.advance(LONG_SESSION - MARGIN).await;
    sale.call_storm(4).await?;
    let running = sale.place_status(&places[0]).await?;
    ensure(matches!(running, PlaceStatus::Active { .. }), || {
        format!("a session before its end is {running:?}")
    })?;
    sale.advance(MARGIN).await;
    ensure_eq(sale.place_status(&places[0]).await?, PlaceStatus::Gone, "a session at its end")?;
    let claim = sale.claim(&places[0]).await;
    ensure(matches!(claim, Err(ClaimError::Gone)), || {
        format!("claiming an ended session gave {claim:?}")
    })?;
    sale.call_storm(4).await?;
    ensure(is_called(&sale, &places[1]).await?, || "the freed slot was not used".to_owned())
}

/// A call or session that its user leaves ends at once, and its slot is free at the next call.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_leaving_frees_the_slot_at_the_next_call(
    fixture: &dyn QueueFixture,
) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let places = sale.join_each(1..=4).await?;
    sale.claim(&places[0]).await?;
    ensure_eq(sale.inside(&places).await?, 2, "people inside before anyone leaves")?;
    for released in 0..2 {
        sale.release(&places[released]).await?;
        ensure_eq(
            sale.place_status(&places[released]).await?,
            PlaceStatus::Gone,
            "a place that was left",
        )?;
        sale.call_storm(4).await?;
        ensure(is_called(&sale, &places[released + 2]).await?, || {
            "the freed slot was not used".to_owned()
        })?;
        ensure_eq(sale.inside(&places).await?, 2, "people inside")?;
    }
    Ok(())
}

/// People who leave while waiting no longer count as ahead, do not delay the call of others, and
/// use neither budget nor slot.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_leaving_while_waiting_uses_no_budget(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let batch = u64::from(BATCH);
    let places = sale.join_each(1..=4 * batch).await?;
    let of = |number: u64| &places[usize::try_from(number - 1).unwrap_or(0)];
    // The whole second batch, and one person further back.
    for number in (batch + 1..=2 * batch).chain([3 * batch + 1]) {
        sale.release(of(number)).await?;
        ensure_eq(
            sale.place_status(of(number)).await?,
            PlaceStatus::Gone,
            "a waiting place that was left",
        )?;
    }
    let snapshot = sale.snapshot().await?;
    let position =
        |number: u64| snapshot.vacant.position_of(of(number).number, snapshot.counters).get();
    let passed = snapshot.counters.serving();
    ensure_eq(
        position(3 * batch),
        batch,
        &format!("the position of the third batch's last, serving {passed}"),
    )?;
    ensure_eq(position(3 * batch + 2), batch + 1, "the position behind one more abandoned number")?;
    sale.advance(super::scenario::EVERY).await;
    sale.call_storm(4).await?;
    for number in 2 * batch + 1..=3 * batch {
        ensure(is_called(&sale, of(number)).await?, || {
            format!("{number} was not called although the batch ahead left")
        })?;
    }
    Ok(())
}

/// Another user's token for a number releases nothing, whether the place is waiting, called or
/// active.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_only_the_holder_can_leave(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    sale.claim(&places[0]).await?;
    for place in &places {
        let before = sale.place_status(place).await?;
        let stolen = sale.place(99, place.number.get())?;
        let answer = sale.release(&stolen).await;
        ensure(matches!(answer, Err(ReleaseError::NotHolder)), || {
            format!("another user was answered {answer:?}")
        })?;
        let after = sale.place_status(place).await?;
        ensure_eq(end_of(after), end_of(before), "the holder's status after the attempt")?;
    }
    Ok(())
}

/// Claims, lapses, releases and sessions that reach their end are counted when they happen, and
/// only once, however often the request is repeated and however many steps run.
///
/// # Errors
/// The violation, if any.
pub async fn the_outcomes_count_each_end_once(fixture: &dyn QueueFixture) -> RuleResult {
    // Slow enough that only the expected events happen: one more call in two minutes.
    let (claim_within, session_ttl) = (Duration::from_secs(20), Duration::from_secs(40));
    let one_more = Duration::from_secs(120);
    let spec = PolicySpec { every: one_more * BATCH, claim_within, session_ttl, ..usual() };
    let sale = Scenario::open(fixture, spec).await?;
    let places = sale.join_each(1..=u64::from(BATCH) + 3).await?;
    let joined = u64::from(BATCH) + 3;
    counted(
        &sale,
        OutcomeCounts { joined, ..OutcomeCounts::default() },
        "before anything but joins",
    )
    .await?;
    for place in &places[..3] {
        sale.claim(place).await?;
        sale.claim(place).await?;
    }
    // A session, a call, and a waiting place.
    for place in [&places[2], &places[3], &places[5]] {
        sale.release(place).await?;
        let again = sale.release(place).await;
        ensure(matches!(again, Err(ReleaseError::Gone)), || {
            format!("leaving again gave {again:?}")
        })?;
    }
    let refused = (sale.claim(&places[6]).await, sale.release(&sale.place(99, 1)?).await);
    ensure(refused.0.is_err() && refused.1.is_err(), || format!("refusals: {refused:?}"))?;
    let mut outcomes = OutcomeCounts { joined, claimed: 3, left: 3, ..OutcomeCounts::default() };
    counted(&sale, outcomes, "after claims and leaves").await?;
    sale.advance(claim_within).await;
    outcomes.lapsed = 1;
    counted(&sale, outcomes, "after one call lapsed").await?;
    sale.advance(session_ttl - claim_within).await;
    outcomes.ended = 2;
    counted(&sale, outcomes, "after two sessions ended").await?;
    // Calls the next person, skipping the one who left while waiting.
    sale.advance(one_more).await;
    counted(&sale, outcomes, "after one more call").await?;
    ensure(is_called(&sale, &places[6]).await?, || "no one was called".to_owned())?;
    sale.advance(claim_within).await;
    outcomes.lapsed = 2;
    counted(&sale, outcomes, "after that call lapsed too").await
}

/// Checks that every node reports the same counts, after steps on all of them.
async fn counted(sale: &Scenario, expected: OutcomeCounts, when: &str) -> RuleResult {
    sale.call_storm(4).await?;
    for node in 0..4 {
        let snapshot = sale.node(node).snapshot(QueueCounters::START).await?;
        ensure_eq(snapshot.outcomes, expected, &format!("the outcomes {when}"))?;
    }
    Ok(())
}
