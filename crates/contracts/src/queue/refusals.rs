//! Rules 8 and 9, ceilings and floors: which requests are refused, and with which error.

use domain::PortErrorKind;
use domain::queue::{
    ClaimError, JoinError, Joined, NumberBounds, PolicySpec, QueueCounters, QueueNumber,
    ReleaseError, UserId,
};
use futures_util::future::join_all;

use super::QueueFixture;
use super::scenario::{CLAIM_WITHIN, EVERY, RECOVERY, Scenario, usual};
use crate::{RuleResult, Violation, ensure, ensure_eq};

/// Waiting users, other users and invented numbers get no session.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_admits_only_called_users(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 1, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    let refused = [places[1], places[2], sale.place(99, 1)?, sale.place(99, 4)?];
    for place in refused {
        let claim = sale.claim(&place).await;
        ensure(claim.is_err(), || format!("{place:?} was admitted: {claim:?}"))?;
    }
    ensure_eq(sale.snapshot().await?.active, 0, "running sessions")?;
    let session = sale.claim(&places[0]).await?;
    ensure_eq(
        (session.number, session.user),
        (places[0].number, places[0].user),
        "the holder of the session",
    )
}

/// A hundred concurrent claims of one call on all nodes give one session, and all return the same
/// end.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_claims_a_call_once_under_concurrency(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let place = sale.join(1).await?;
    let tasks = (0..100).map(|n| {
        let node = sale.node(n);
        tokio::spawn(async move { node.claim(&place).await })
    });
    let mut ends = Vec::new();
    for task in join_all(tasks).await {
        ends.push(task??.until.at);
    }
    ends.dedup();
    ensure_eq(ends.len(), 1, "distinct ends of one session")?;
    let snapshot = sale.snapshot().await?;
    ensure_eq((snapshot.called, snapshot.active), (0, 1), "calls and sessions afterwards")?;
    sale.advance(CLAIM_WITHIN).await;
    ensure_eq(
        sale.claim(&place).await?.until.at,
        ends[0],
        "the end of the session, once the call would have lapsed",
    )
}

/// Claims and leaves return distinct errors for numbers that were never given, places not called
/// yet, ended places and places of other users.
///
/// # Errors
/// The violation, if any.
pub async fn rule_9_distinguishes_every_refusal(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, PolicySpec { max_active: 1, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    sale.release(&places[0]).await?;
    sale.release(&places[2]).await?;
    // The store believes a token with a lower number.
    let never_given = sale.place(9, QueueNumber::MAX)?;
    let claims = [(never_given, "not found"), (places[0], "gone"), (places[2], "gone")];
    for (place, expected) in claims {
        let claim = sale.claim(&place).await;
        ensure_eq(claim_word(&claim), expected, &format!("claiming {}", place.number))?;
        let release = sale.release(&place).await;
        ensure_eq(give_back_word(&release), expected, &format!("leaving with {}", place.number))?;
    }
    ensure_eq(claim_word(&sale.claim(&places[1]).await), "not yet", "claiming while waiting")?;
    let stranger = sale.place(9, places[1].number.get())?;
    ensure_eq(
        claim_word(&sale.claim(&stranger).await),
        "not holder",
        "claiming another user's waiting place",
    )?;
    sale.call_storm(1).await?;
    ensure_eq(
        claim_word(&sale.claim(&stranger).await),
        "not holder",
        "claiming another user's call",
    )?;
    ensure_eq(claim_word(&sale.claim(&places[1]).await), "session", "claiming one's own call")
}

fn claim_word<T>(result: &Result<T, ClaimError>) -> &'static str {
    match result {
        Ok(_) => "session",
        Err(ClaimError::NotFound) => "not found",
        Err(ClaimError::NotYet) => "not yet",
        Err(ClaimError::Gone) => "gone",
        Err(ClaimError::NotHolder) => "not holder",
        Err(ClaimError::Store(_)) => "store error",
    }
}

fn give_back_word(result: &Result<(), ReleaseError>) -> &'static str {
    match result {
        Ok(()) => "left",
        Err(ReleaseError::NotFound) => "not found",
        Err(ReleaseError::Gone) => "gone",
        Err(ReleaseError::NotHolder) => "not holder",
        Err(ReleaseError::Store(_)) => "store error",
    }
}

/// A full queue refuses new users, still finds the places of its holders, and accepts new users
/// once it has moved.
///
/// # Errors
/// The violation, if any.
pub async fn rule_9_a_full_queue_still_finds_its_holders(fixture: &dyn QueueFixture) -> RuleResult {
    let sale =
        Scenario::open(fixture, PolicySpec { max_active: 1, max_waiting: 3, ..usual() }).await?;
    let places = sale.join_each(1..=4).await?;
    for user in 5..10 {
        let joined = sale.try_join(user).await;
        ensure(matches!(joined, Err(JoinError::QueueFull)), || {
            format!("a full queue answered {joined:?}")
        })?;
    }
    ensure_eq(sale.snapshot().await?.counters.last(), 4, "numbers given in all")?;
    for place in &places {
        ensure_eq(
            sale.join(place.user.get()).await?.number,
            place.number,
            "a holder's number in a full queue",
        )?;
    }
    sale.release(&places[0]).await?;
    sale.call_storm(1).await?;
    sale.join(5).await.map(drop)
}

/// Joins above a floor, and retries after a recovering store has waited for its witnesses.
async fn join_after_recovery(
    sale: &Scenario,
    user: u64,
    floor: QueueCounters,
) -> Result<Joined, Violation> {
    let (node, user) = (sale.node(user), UserId::new(user)?);
    match node.join(user, None, NumberBounds::above(floor)).await {
        Err(JoinError::Store(error)) if error.kind() == PortErrorKind::NotReady => {
            sale.advance(RECOVERY).await;
            Ok(node.join(user, None, NumberBounds::above(floor)).await?)
        }
        answer => Ok(answer?),
    }
}

/// A ceiling stops new numbers but still finds existing places; raising it allows new numbers
/// again.
///
/// # Errors
/// The violation, if any.
pub async fn new_numbers_do_not_exceed_the_ceiling(fixture: &dyn QueueFixture) -> RuleResult {
    let sale = Scenario::open(fixture, usual()).await?;
    let up_to = |ceiling: u64| NumberBounds { ceiling, ..NumberBounds::NONE };
    let tasks = (1..=20).map(|n| {
        let node = sale.node(n);
        tokio::spawn(async move {
            node.join(UserId::new(n)?, None, up_to(8)).await.map_err(Violation::from)
        })
    });
    let mut given = Vec::new();
    for task in join_all(tasks).await {
        given.extend(task?.ok().map(|joined| joined.number.get()));
    }
    given.sort_unstable();
    ensure_eq(given, (1..=8).collect(), "numbers given below a ceiling of 8")?;
    let refused = sale.node(0).join(UserId::new(99)?, None, up_to(8)).await;
    ensure(matches!(refused, Err(JoinError::AboveCeiling)), || {
        format!("above the ceiling: {refused:?}")
    })?;
    let (node, mut holders) = (sale.node(1), 0);
    for user in 1..=20 {
        holders += u64::from(node.join(UserId::new(user)?, None, up_to(8)).await.is_ok());
    }
    ensure_eq(holders, 8, "holders found at the ceiling")?;
    let next = sale.node(0).join(UserId::new(99)?, None, up_to(9)).await?;
    ensure_eq(next.number.get(), 9, "the number given once the ceiling is higher")
}

/// A floor raises `last` and `serving` before the next number is given; a lower floor changes
/// nothing.
///
/// # Errors
/// The violation, if any.
pub async fn floors_raise_the_queue_and_never_lower_it(fixture: &dyn QueueFixture) -> RuleResult {
    // Calls outlast the pause.
    let sale =
        Scenario::open(fixture, PolicySpec { claim_within: 6 * RECOVERY, ..usual() }).await?;
    sale.join(1).await?;
    let raised = sale.node(0).snapshot(QueueCounters::new(40, 30)).await?.counters;
    ensure_eq(
        (raised.last(), raised.serving() >= 30),
        (40, true),
        "the queue after a floor of 40 and 30",
    )?;
    // A store that shares the queue among nodes first waits for its witnesses.
    sale.advance(RECOVERY).await;
    // A lost store called it; the call counts from now on.
    let known_by_floor = sale.place(66, 20)?;
    sale.claim(&known_by_floor).await.map(drop)?;
    let joined = join_after_recovery(&sale, 2, QueueCounters::new(99, 0)).await?;
    ensure_eq(joined.number.get(), 100, "the number given above a floor of 99")?;
    let lower = join_after_recovery(&sale, 3, QueueCounters::new(5, 5)).await?;
    ensure_eq(lower.number.get(), 101, "the number given after a floor lower than the queue")?;
    // A number known only from a floor: its holder has a token, so it is called and claimed like
    // any other.
    let known_by_token = sale.place(77, 31)?;
    // The remaining budget is unknown after the store lost the queue.
    sale.advance(EVERY).await;
    sale.call_storm(4).await?;
    sale.claim(&known_by_token).await.map(drop)?;
    Ok(())
}
