//! Rules 8 and 9, and floors: who is refused, and how the refusals differ.

use domain::PortErrorKind;
use domain::queue::{
    Bounds, ClaimError, GiveBackError, JoinError, Joined, Line, PolicySpec, QueueNumber, UserId,
};
use futures_util::future::join_all;

use super::QueueFixture;
use super::world::{CLAIM_WITHIN, EVERY, RECOVERY, Sale, usual};
use crate::{Verdict, Violation, ensure, ensure_eq};

/// Waiting people, strangers and made-up numbers get no session.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_lets_nobody_in_who_was_not_called(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, PolicySpec { max_active: 1, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    let refused = [places[1], places[2], sale.place(99, 1)?, sale.place(99, 4)?];
    for place in refused {
        let claim = sale.claim(&place).await;
        ensure(claim.is_err(), || format!("{place:?} was let in: {claim:?}"))?;
    }
    ensure_eq(sale.snapshot().await?.active, 0, "sessions that run")?;
    let session = sale.claim(&places[0]).await?;
    ensure_eq(
        (session.number, session.user),
        (places[0].number, places[0].user),
        "whose session it is",
    )
}

/// A hundred claims of one call on all nodes give one session, and all of them its end.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_claims_a_call_once_whatever_races(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, usual()).await?;
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
    ensure_eq(ends.len(), 1, "different ends of one session")?;
    let snapshot = sale.snapshot().await?;
    ensure_eq((snapshot.called, snapshot.active), (0, 1), "calls and sessions afterwards")?;
    sale.advance(CLAIM_WITHIN).await;
    ensure_eq(
        sale.claim(&place).await?.until.at,
        ends[0],
        "the end, when the call itself would have lapsed",
    )
}

/// Not found, not yet, no longer, somebody else's: each is told apart, claiming and giving back.
///
/// # Errors
/// The violation, if any.
pub async fn rule_9_tells_every_refusal_apart(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, PolicySpec { max_active: 1, ..usual() }).await?;
    let places = sale.join_each(1..=3).await?;
    sale.give_back(&places[0]).await?;
    sale.give_back(&places[2]).await?;
    // A token that shows a lower number than this one is believed.
    let never_given = sale.place(9, QueueNumber::MAX)?;
    let claims = [(never_given, "not found"), (places[0], "gone"), (places[2], "gone")];
    for (place, expected) in claims {
        let claim = sale.claim(&place).await;
        ensure_eq(claim_word(&claim), expected, &format!("claiming {}", place.number))?;
        let give_back = sale.give_back(&place).await;
        ensure_eq(give_back_word(&give_back), expected, &format!("giving back {}", place.number))?;
    }
    ensure_eq(claim_word(&sale.claim(&places[1]).await), "not yet", "claiming while waiting")?;
    let stranger = sale.place(9, places[1].number.get())?;
    ensure_eq(
        claim_word(&sale.claim(&stranger).await),
        "not holder",
        "claiming another's waiting place",
    )?;
    sale.call_storm(1).await?;
    ensure_eq(claim_word(&sale.claim(&stranger).await), "not holder", "claiming another's call")?;
    ensure_eq(claim_word(&sale.claim(&places[1]).await), "session", "claiming one's own")
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

fn give_back_word(result: &Result<(), GiveBackError>) -> &'static str {
    match result {
        Ok(()) => "given back",
        Err(GiveBackError::NotFound) => "not found",
        Err(GiveBackError::Gone) => "gone",
        Err(GiveBackError::NotHolder) => "not holder",
        Err(GiveBackError::Store(_)) => "store error",
    }
}

/// A full line takes nobody new, finds the places of those who hold one, and takes people again once it moved.
///
/// # Errors
/// The violation, if any.
pub async fn rule_9_refuses_a_full_line_but_not_its_holders(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, PolicySpec { max_active: 1, max_waiting: 3, ..usual() }).await?;
    let places = sale.join_each(1..=4).await?;
    for user in 5..10 {
        let joined = sale.try_join(user).await;
        ensure(matches!(joined, Err(JoinError::LineFull)), || {
            format!("a full line answered {joined:?}")
        })?;
    }
    ensure_eq(sale.snapshot().await?.line.last(), 4, "numbers given in all")?;
    for place in &places {
        ensure_eq(
            sale.join(place.user.get()).await?.number,
            place.number,
            "a holder's number on a full line",
        )?;
    }
    sale.give_back(&places[0]).await?;
    sale.call_storm(1).await?;
    sale.join(5).await.map(drop)
}

/// Joins above a floor; where the store waits for its witnesses first, after that.
async fn join_in_the_end(sale: &Sale, user: u64, floor: Line) -> Result<Joined, Violation> {
    let (node, user) = (sale.node(user), UserId::new(user)?);
    match node.join(user, None, Bounds::above(floor)).await {
        Err(JoinError::Store(error)) if error.kind() == PortErrorKind::NotReady => {
            sale.advance(RECOVERY).await;
            Ok(node.join(user, None, Bounds::above(floor)).await?)
        }
        answer => Ok(answer?),
    }
}

/// A ceiling stops new numbers, finds the places of those who hold one, and stops nobody once it is higher.
///
/// # Errors
/// The violation, if any.
pub async fn ceilings_are_not_passed_by_new_numbers(fixture: &dyn QueueFixture) -> Verdict {
    let sale = Sale::open(fixture, usual()).await?;
    let up_to = |ceiling: u64| Bounds { ceiling, ..Bounds::NONE };
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

/// A floor lifts `last` and `serving` before the next number is given, and a lower one changes nothing.
///
/// # Errors
/// The violation, if any.
pub async fn floors_raise_the_line_and_never_lower_it(fixture: &dyn QueueFixture) -> Verdict {
    // Calls outlast the pause.
    let sale = Sale::open(fixture, PolicySpec { claim_within: 6 * RECOVERY, ..usual() }).await?;
    sale.join(1).await?;
    let raised = sale.node(0).snapshot(Line::new(40, 30)).await?.line;
    ensure_eq(
        (raised.last(), raised.serving() >= 30),
        (40, true),
        "the line after a floor of 40 and 30",
    )?;
    // A store that shares the queue among nodes hears its witnesses first.
    sale.advance(RECOVERY).await;
    // Called by a store that is no more: the call stands from now on.
    let known_by_floor = sale.place(66, 20)?;
    sale.claim(&known_by_floor).await.map(drop)?;
    let joined = join_in_the_end(&sale, 2, Line::new(99, 0)).await?;
    ensure_eq(joined.number.get(), 100, "the number given above a floor of 99")?;
    let lower = join_in_the_end(&sale, 3, Line::new(5, 5)).await?;
    ensure_eq(lower.number.get(), 101, "the number given after a floor lower than the line")?;
    // A number only a floor told of: its holder has a token, so it is called and claimed like any other.
    let known_by_token = sale.place(77, 31)?;
    // What was left of the budget when the store lost the queue is not known.
    sale.advance(EVERY).await;
    sale.call_storm(4).await?;
    sale.claim(&known_by_token).await.map(drop)?;
    Ok(())
}
