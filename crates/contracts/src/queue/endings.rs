//! Rules 6 and 7: the ends of calls, sessions and places, and their counts.

use std::time::Duration;

use domain::queue::{
    ClaimError, GiveBackError, Line, Place, PolicySpec, QueueTime, Standing, Tally,
};

use super::QueueFixture;
use super::world::{BATCH, Sale, usual};
use crate::{Verdict, ensure, ensure_eq};

/// The claim time in tests that check its end closely.
const LONG_CALL: Duration = Duration::from_secs(40);
/// The session length in those tests.
const LONG_SESSION: Duration = Duration::from_secs(60);
/// The tolerance for a store that uses real time, on a busy machine.
const MARGIN: Duration = Duration::from_secs(10);

fn long() -> PolicySpec {
    PolicySpec { max_active: 1, claim_within: LONG_CALL, session_ttl: LONG_SESSION, ..usual() }
}

async fn is_called(sale: &Sale, place: &Place) -> Result<bool, crate::Violation> {
    Ok(matches!(sale.standing(place).await?, Standing::Called { .. }))
}

/// The kind of a standing and its end, without the remaining time, which changes.
fn end_of(standing: Standing) -> (&'static str, Option<QueueTime>) {
    match standing {
        Standing::Waiting => ("waiting", None),
        Standing::Called { until } => ("called", Some(until.at)),
        Standing::Active { until } => ("active", Some(until.at)),
        Standing::Gone => ("gone", None),
    }
}

/// A call stays open until shortly before `claim_within` and then lapses, and the next person gets
/// the slot.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_a_call_lapses_and_frees_its_slot(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, long()).await?;
    let places = sale.join_each([1, 2]).await?;
    sale.advance(LONG_CALL - MARGIN).await;
    sale.call_storm(4).await?;
    ensure(is_called(&sale, &places[0]).await?, || "the call lapsed before its time".to_owned())?;
    ensure_eq(
        sale.standing(&places[1]).await?,
        Standing::Waiting,
        "the next person, while the slot is taken",
    )?;
    sale.advance(MARGIN).await;
    ensure_eq(sale.standing(&places[0]).await?, Standing::Gone, "a call at the end of its time")?;
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
pub async fn rule_6_a_session_ends_and_frees_its_slot(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, long()).await?;
    let places = sale.join_each([1, 2]).await?;
    sale.claim(&places[0]).await?;
    sale.advance(LONG_SESSION - MARGIN).await;
    sale.call_storm(4).await?;
    let running = sale.standing(&places[0]).await?;
    ensure(matches!(running, Standing::Active { .. }), || {
        format!("a session before its end is {running:?}")
    })?;
    sale.advance(MARGIN).await;
    ensure_eq(sale.standing(&places[0]).await?, Standing::Gone, "a session at its end")?;
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
pub async fn rule_6_leaving_frees_the_slot_at_the_next_call(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let places = sale.join_each(1..=4).await?;
    sale.claim(&places[0]).await?;
    ensure_eq(sale.inside(&places).await?, 2, "people inside before anyone leaves")?;
    for given_back in 0..2 {
        sale.give_back(&places[given_back]).await?;
        ensure_eq(
            sale.standing(&places[given_back]).await?,
            Standing::Gone,
            "a place that was left",
        )?;
        sale.call_storm(4).await?;
        ensure(is_called(&sale, &places[given_back + 2]).await?, || {
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
pub async fn rule_6_leaving_while_waiting_uses_no_budget(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, usual()).await?;
    let batch = u64::from(BATCH);
    let places = sale.join_each(1..=4 * batch).await?;
    let of = |number: u64| &places[usize::try_from(number - 1).unwrap_or(0)];
    // The whole second batch, and one person further back.
    for number in (batch + 1..=2 * batch).chain([3 * batch + 1]) {
        sale.give_back(of(number)).await?;
        ensure_eq(
            sale.standing(of(number)).await?,
            Standing::Gone,
            "a waiting place that was left",
        )?;
    }
    let snapshot = sale.snapshot().await?;
    let position =
        |number: u64| snapshot.vacant.position_of(of(number).number, snapshot.line).get();
    let passed = snapshot.line.serving();
    ensure_eq(
        position(3 * batch),
        batch,
        &format!("the position of the third batch's last, serving {passed}"),
    )?;
    ensure_eq(position(3 * batch + 2), batch + 1, "the position behind one more abandoned number")?;
    sale.advance(super::world::EVERY).await;
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
pub async fn rule_7_only_the_holder_can_leave(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, PolicySpec { max_active: 2, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    sale.claim(&places[0]).await?;
    for place in &places {
        let before = sale.standing(place).await?;
        let stolen = sale.place(99, place.number.get())?;
        let answer = sale.give_back(&stolen).await;
        ensure(matches!(answer, Err(GiveBackError::NotHolder)), || {
            format!("another user was answered {answer:?}")
        })?;
        let after = sale.standing(place).await?;
        ensure_eq(end_of(after), end_of(before), "the holder's status after the attempt")?;
    }
    Ok(())
}

/// Claims, lapses, releases and sessions that reach their end are counted when they happen, and
/// only once, however often the request is repeated and however many steps run.
///
/// # Errors
/// The violation, if any.
pub async fn the_tally_counts_each_end_once(fixture: &dyn QueueFixture) -> Verdict {
    // Slow enough that only the expected events happen: one more call in two minutes.
    let (claim_within, session_ttl) = (Duration::from_secs(20), Duration::from_secs(40));
    let one_more = Duration::from_secs(120);
    let spec = PolicySpec { every: one_more * BATCH, claim_within, session_ttl, ..usual() };
    let sale = Sale::open(fixture, spec).await?;
    let places = sale.join_each(1..=u64::from(BATCH) + 3).await?;
    let joined = u64::from(BATCH) + 3;
    counted(&sale, Tally { joined, ..Tally::default() }, "before anything but joins").await?;
    for place in &places[..3] {
        sale.claim(place).await?;
        sale.claim(place).await?;
    }
    // A session, a call, and a waiting place.
    for place in [&places[2], &places[3], &places[5]] {
        sale.give_back(place).await?;
        let again = sale.give_back(place).await;
        ensure(matches!(again, Err(GiveBackError::Gone)), || {
            format!("leaving again gave {again:?}")
        })?;
    }
    let refused = (sale.claim(&places[6]).await, sale.give_back(&sale.place(99, 1)?).await);
    ensure(refused.0.is_err() && refused.1.is_err(), || format!("refusals: {refused:?}"))?;
    let mut tally = Tally { joined, claimed: 3, left: 3, ..Tally::default() };
    counted(&sale, tally, "after claims and leaves").await?;
    sale.advance(claim_within).await;
    tally.lapsed = 1;
    counted(&sale, tally, "after one call lapsed").await?;
    sale.advance(session_ttl - claim_within).await;
    tally.ended = 2;
    counted(&sale, tally, "after two sessions ended").await?;
    // Calls the next person, skipping the one who left while waiting.
    sale.advance(one_more).await;
    counted(&sale, tally, "after one more call").await?;
    ensure(is_called(&sale, &places[6]).await?, || "no one was called".to_owned())?;
    sale.advance(claim_within).await;
    tally.lapsed = 2;
    counted(&sale, tally, "after that call lapsed too").await
}

/// Checks that every node reports the same counts, after steps on all of them.
async fn counted(sale: &Sale, expected: Tally, when: &str) -> Verdict {
    sale.call_storm(4).await?;
    for node in 0..4 {
        let snapshot = sale.node(node).snapshot(Line::START).await?;
        ensure_eq(snapshot.tally, expected, &format!("the tally {when}"))?;
    }
    Ok(())
}
