//! The use cases of a queue: join, status, admit, leave, and one tick of calling.

mod admission;

pub use admission::Admission;

use std::sync::Arc;
use std::time::Duration;

use super::counts::{Counters, Reason, Refusal};
use super::reserve::Reserved;
use super::watch::{Reported, Sight, Watch};
use super::{
    AdmissionPolicy, Bounds, Called, Expiry, GiveBackError, JoinError, Joined, Line, Outlook,
    Pacing, Place, Position, QueueCounts, QueueError, QueueId, QueueNumber, QueueStore, QueueTime,
    Reserve, Shown, Standing, TokenRejected, TokenSealer, UserId, View, Wait, WaitingToken,
};
use crate::{Clock, PortError, PortErrorKind, Timestamp};

/// The dependencies of a [`QueueService`].
pub struct QueueParts {
    /// The queue it serves; tokens of other queues are rejected.
    pub queue: QueueId,
    /// The policy its store keeps, for forecasts.
    pub policy: AdmissionPolicy,
    /// The poll intervals.
    pub pacing: Pacing,
    /// The maximum age of a token; an older one is from a sale that is over. Joining again issues a
    /// fresh one.
    pub token_ttl: Duration,
    /// The maximum age of the node's view. With an older one, responses are marked stale and
    /// admission stops.
    pub stale_after: Duration,
    /// Keeps the queue.
    pub store: Arc<dyn QueueStore>,
    /// Signs the tokens.
    pub sealer: Arc<dyn TokenSealer>,
    /// Where numbers are reserved before they are issued. With `None`, losing the store and all
    /// nodes at once may restart the queue from the beginning.
    pub reserve: Option<Reserve>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

/// A place just issued: its token and its status.
#[derive(Debug)]
pub struct Ticket {
    /// The signed text that is the place.
    pub token: WaitingToken,
    /// The status reported to the user.
    pub outlook: Outlook,
    /// Whether the user held the place before.
    pub rejoined: bool,
}

/// The place of a verified token, and its status in this node's view at that moment.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedPlace {
    place: Place,
    sight: Sight,
}

impl VerifiedPlace {
    /// The number of the place: the same for all of its tokens.
    #[must_use]
    pub fn number(&self) -> QueueNumber {
        self.place.number
    }
}

/// The result of one tick.
#[derive(Clone, Debug)]
pub struct Step {
    /// The store's response.
    pub called: Called,
    /// The waits of the people called since this node's last tick, by any node. People who joined
    /// before this node's first tick are left out.
    pub waits: Vec<Wait>,
}

/// The use cases of one queue on one node. All requests share it, and none waits for another.
pub struct QueueService {
    parts: QueueParts,
    watch: Watch,
    reserved: Option<Reserved>,
    counters: Counters,
}

impl QueueService {
    /// A service without a view of its queue yet; [`advance`](Self::advance) fetches it.
    #[must_use]
    pub fn new(mut parts: QueueParts) -> Self {
        let watch = Watch::new(&parts.policy);
        let reserved = parts.reserve.take().map(Reserved::new);
        Self { parts, watch, reserved, counters: Counters::default() }
    }

    /// Issues a place to the user, or finds the one they hold. Retrying is always safe. With the
    /// `token` of their place, the user finds it even if the store has lost the holder. A token
    /// past its lifetime counts as none.
    ///
    /// # Errors
    /// [`QueueError::Forged`] for a token that is not accepted or is another user's,
    /// [`QueueError::LineFull`] or [`QueueError::Store`].
    pub async fn join(&self, user: UserId, token: Option<&str>) -> Result<Ticket, QueueError> {
        self.counters.answer(self.take_in(user, token).await)
    }

    async fn take_in(&self, user: UserId, token: Option<&str>) -> Result<Ticket, Refusal> {
        let presented = token.map(|token| self.presented(user, token)).transpose()?.flatten();
        let joined = match self.join_store(user, presented).await? {
            Ok(joined) => joined,
            Err(JoinError::AboveCeiling) => return Err(not_reserved()),
            Err(JoinError::LineFull) => {
                return Err(QueueError::LineFull { retry_after: self.room_expected_in() }.into());
            }
            Err(JoinError::ViewBehind) => {
                return Err(PortError::new(PortErrorKind::NotReady, STORE).into());
            }
            Err(JoinError::Store(error)) => return Err(error.into()),
        };
        self.counters.joined(joined.rejoined);
        self.watch.note(joined.line);
        let now = self.parts.clock.now();
        let Joined { number, incarnation, .. } = joined;
        let place = Place { queue: self.parts.queue, incarnation, number, user, issued_at: now };
        let sight = self.watch.look(Shown::from(&place), joined.line);
        if !sight.is_accepted {
            // The store has learned it since this node's last refresh.
            self.watch.note_incarnation(incarnation);
        }
        let token = self.parts.sealer.seal(&place);
        let outlook = self.outlook(number, joined.standing, sight, false, now);
        Ok(Ticket { token, outlook, rejoined: joined.rejoined })
    }

    /// Joins, and retries once if this node must first fetch the skipped numbers.
    async fn join_store(
        &self,
        user: UserId,
        presented: Option<Shown>,
    ) -> Result<Result<Joined, JoinError>, Refusal> {
        let joined = self.parts.store.join(user, presented, self.bounds()?).await;
        if !matches!(joined, Err(JoinError::ViewBehind)) {
            return Ok(joined);
        }
        self.catch_up().await?;
        Ok(self.parts.store.join(user, presented, self.bounds()?).await)
    }

    /// Fetches the vacant numbers between two refreshes.
    async fn catch_up(&self) -> Result<(), PortError> {
        let snapshot = self.parts.store.snapshot(self.watch.line()).await?;
        self.watch.note_vacant(&snapshot);
        Ok(())
    }

    /// The number and incarnation of the token that a user presents when joining.
    fn presented(&self, user: UserId, token: &str) -> Result<Option<Shown>, Refusal> {
        match self.open(token, self.parts.clock.now()) {
            Ok((place, _)) if place.user == user => Ok(Some(Shown::from(&place))),
            Ok(_) => Err(TokenRejected::BadSignature.into()),
            Err(refusal) if refusal.is_of_the_past() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether the token is of a place this user still holds, so that joining with it finds the
    /// place. Calls no store while the place waits. A token past its lifetime counts as none. If
    /// the store fails, returns true, and joining reports the failure.
    ///
    /// # Errors
    /// [`QueueError::Forged`] for a token that is not accepted or is another user's.
    pub async fn holds_place(&self, user: UserId, token: &str) -> Result<bool, QueueError> {
        self.counters.answer(self.is_held(user, token).await)
    }

    async fn is_held(&self, user: UserId, token: &str) -> Result<bool, Refusal> {
        match self.open(token, self.parts.clock.now()) {
            Ok((place, _)) if place.user != user => Err(TokenRejected::BadSignature.into()),
            Ok((_, Sight { has_left: true, .. })) => Ok(false),
            Ok((place, Sight { is_called: true, .. })) => {
                let standing = self.parts.store.standing(&place).await;
                Ok(!matches!(standing, Ok(Standing::Gone)))
            }
            Ok(_) => Ok(true),
            Err(refusal) if refusal.is_of_the_past() => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Verifies a token without calling the store: the first step of a status query. So rate limits
    /// can go by the caller instead of the presented text.
    ///
    /// # Errors
    /// [`QueueError::Forged`], or [`QueueError::Gone`] for a token past its lifetime.
    pub fn verify(&self, token: &str) -> Result<VerifiedPlace, QueueError> {
        let opened = self.open(token, self.parts.clock.now());
        self.counters.answer(opened).map(|(place, sight)| VerifiedPlace { place, sight })
    }

    /// Returns the status of a place. While it waits, this calls no store, unless the store may not
    /// know the place yet. If the store fails, the status comes from this node's last view.
    pub async fn status(&self, verified: VerifiedPlace) -> Outlook {
        let VerifiedPlace { place, mut sight } = verified;
        let mut now = self.parts.clock.now();
        let is_stale = self.is_stale_at(now);
        let (standing, is_stale) = match sight {
            Sight { is_called: true, .. } => {
                let standing = self.parts.store.standing(&place).await;
                now = self.parts.clock.now();
                let unknown =
                    Standing::Called { until: Expiry::new(QueueTime::START, QueueTime::START) };
                standing.map_or((unknown, true), |standing| (standing, is_stale))
            }
            Sight { has_left: true, .. } => (Standing::Gone, is_stale),
            Sight { is_unproved: true, .. } if !is_stale => {
                (self.prove(&place, &mut sight).await, is_stale)
            }
            Sight { .. } => (Standing::Waiting, is_stale),
        };
        self.outlook(place.number, standing, sight, is_stale, now)
    }

    /// Verifies a token and returns the status of its place.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn ask(&self, token: &str) -> Result<Outlook, QueueError> {
        Ok(self.status(self.verify(token)?).await)
    }

    /// Presents a waiting place to a store that may not know it, so that it is called in the order
    /// of its number.
    async fn prove(&self, place: &Place, sight: &mut Sight) -> Standing {
        let Ok(standing) = self.parts.store.standing(place).await else { return Standing::Waiting };
        if place.number.get() > self.watch.line().last() && self.catch_up().await.is_ok() {
            *sight = self.watch.look(Shown::from(place), self.watch.line());
        }
        standing
    }

    /// Releases the place, call or session of a token.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn leave(&self, token: &str) -> Result<(), QueueError> {
        self.counters.answer(self.take_back(token).await)
    }

    async fn take_back(&self, token: &str) -> Result<(), Refusal> {
        let (place, _) = self.open(token, self.parts.clock.now())?;
        self.parts.store.give_back(&place).await.map_err(|error| match error {
            // A signed place held by another user: a lost store issued its number, and the next
            // store reissued it.
            GiveBackError::NotFound | GiveBackError::Gone | GiveBackError::NotHolder => {
                QueueError::Gone.into()
            }
            GiveBackError::Store(error) => error.into(),
        })
    }

    /// One tick of the loop that every node runs: calls the people allowed and refreshes this
    /// node's view, in one call to the store, whatever the number of users.
    ///
    /// # Errors
    /// [`PortError`] if the store failed; then the view stays as it was, and becomes stale.
    pub async fn advance(&self) -> Result<Step, PortError> {
        let asked_at = self.parts.clock.now();
        let shown = self.watch.take_shown();
        let called =
            self.parts.store.call_next(self.watch.line(), shown).await.inspect_err(|_| {
                shown.into_iter().for_each(|shown| self.watch.note_shown(shown));
            })?;
        self.counters.called(called.count);
        let waits = self.watch.learn(&called.snapshot, asked_at);
        Ok(Step { called, waits })
    }

    /// One tick of the checkpoint loop: first reads the checkpoint, from then on saves the queue's
    /// progress. Joins fail until it is read.
    ///
    /// # Errors
    /// [`PortError`] if the checkpoint store, or at first the queue store, failed.
    pub async fn remember(&self) -> Result<(), PortError> {
        let Some(reserved) = &self.reserved else { return Ok(()) };
        let queue = self.parts.queue;
        let reported = self.watch.reported();
        let settled =
            reserved.settle(queue, self.parts.store.as_ref(), reported.generation).await?;
        settled.iter().for_each(|snapshot| self.watch.note_vacant(snapshot));
        let Reported { tally, incarnations, .. } = self.watch.reported();
        reserved
            .save(queue, self.watch.line(), incarnations, tally.joined, self.parts.clock.now())
            .await
    }

    /// Whether this node's view of the queue is older than allowed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale_at(self.parts.clock.now())
    }

    fn is_stale_at(&self, now: Timestamp) -> bool {
        self.watch.age(now) > self.parts.stale_after
    }

    /// The counters of the queue in this node's view.
    #[must_use]
    pub fn line(&self) -> Line {
        self.watch.line()
    }

    /// This node's counters. Reading them is cheap and blocks no request.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.counters.read()
    }

    /// This node's view of the queue, without calling the store.
    #[must_use]
    pub fn view(&self) -> View {
        let line = self.watch.line();
        let Reported { called, active, recovers, may_join, tally, .. } = self.watch.reported();
        let last_step = self.watch.refreshed();
        View {
            line,
            waiting: self.watch.people_waiting(line),
            called,
            active,
            recovers,
            may_join,
            tally,
            age: last_step.map(|_| self.watch.age(self.parts.clock.now())),
            stale_after: self.parts.stale_after,
            max_active: self.parts.policy.spec().max_active,
            last_step,
            people_called: self.counters.people_called(),
        }
    }

    /// The bounds of the next number.
    fn bounds(&self) -> Result<Bounds, Refusal> {
        let floor = self.watch.line();
        match &self.reserved {
            None => Ok(Bounds::above(floor)),
            Some(reserved) => {
                let Reported { generation, is_settled, .. } = self.watch.reported();
                let ceiling = reserved.ceiling(generation, is_settled).ok_or_else(not_reserved)?;
                Ok(Bounds { floor, ceiling })
            }
        }
    }

    /// Verifies that a token is of this queue and within its lifetime, and finds its number in this
    /// node's view.
    fn open(&self, token: &str, now: Timestamp) -> Result<(Place, Sight), Refusal> {
        let place = self.parts.sealer.open(token)?;
        if place.queue != self.parts.queue {
            return Err(TokenRejected::ForeignQueue.into());
        }
        let age = Duration::try_from(now.duration_since(place.issued_at)).unwrap_or_default();
        if age > self.parts.token_ttl {
            return Err(QueueError::Gone.into());
        }
        let shown = Shown::from(&place);
        let sight = self.watch.look(shown, self.watch.line());
        if !sight.is_accepted {
            return Err(TokenRejected::ForeignIncarnation.into());
        }
        self.watch.note_shown(shown);
        Ok((place, sight))
    }

    /// The expected time until a full queue has room: one call at the fastest rate, and at least a
    /// second.
    fn room_expected_in(&self) -> Duration {
        let one_call = 1.0 / self.parts.policy.fastest_rate();
        Duration::try_from_secs_f64(one_call).unwrap_or_default().max(Duration::from_secs(1))
    }

    fn outlook(
        &self,
        number: QueueNumber,
        standing: Standing,
        sight: Sight,
        is_stale: bool,
        now: Timestamp,
    ) -> Outlook {
        let pacing = &self.parts.pacing;
        let (position, eta, wait_limit) = match standing {
            // A late holder of a skipped number is next, although the queue has passed the number.
            Standing::Waiting => (sight.position.max(Position::NEXT), sight.eta, Some(sight.limit)),
            Standing::Called { .. } | Standing::Active { .. } | Standing::Gone => {
                (Position::CALLED, Duration::ZERO, None)
            }
        };
        let poll_after = match standing {
            Standing::Waiting => Some(pacing.poll_after(eta, number, now)),
            Standing::Called { until } | Standing::Active { until } => {
                Some(pacing.poll_after(until.remaining, number, now))
            }
            Standing::Gone => None,
        };
        let expires_at = match standing {
            Standing::Called { until } | Standing::Active { until } => {
                now.checked_add(until.remaining).ok().filter(|_| !is_stale)
            }
            Standing::Waiting | Standing::Gone => None,
        };
        Outlook { number, standing, is_stale, position, eta, wait_limit, poll_after, expires_at }
    }
}

/// The queue store's name, as operators know it.
const STORE: &str = "queue store";

fn lost_sight() -> Refusal {
    let error = PortError::new(PortErrorKind::Unavailable, STORE);
    Refusal::unavailable(Reason::LostSight, error.because("this node's view of the queue is stale"))
}

fn not_reserved() -> Refusal {
    let error = PortError::new(PortErrorKind::Unavailable, STORE);
    Refusal::unavailable(
        Reason::NotReserved,
        error.because("no number is reserved in the checkpoint"),
    )
}

#[cfg(test)]
mod tests;
