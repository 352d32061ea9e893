//! The use cases of a queue: join, status, admit, leave, and one tick of calling.

mod admission;

pub use admission::Admission;

use std::sync::Arc;
use std::time::Duration;

use super::local_view::{LocalView, NumberStatus, Reported};
use super::number_reservation::Reserved;
use super::service_counts::{Counters, Reason, Refusal};
use super::{
    AdmissionPolicy, Called, Expiry, JoinError, Joined, NumberBounds, NumberReservation,
    PlaceStatus, PollInterval, Position, QueueCounters, QueueCounts, QueueError, QueueId,
    QueueNumber, QueueStats, QueueStatus, QueueStore, QueueTime, ReleaseError, Shown, TokenClaims,
    TokenRejected, TokenSigner, UserId, Wait, WaitingToken,
};
use crate::{Clock, Dependency, PortError, PortErrorKind, Timestamp};

/// The dependencies of a [`QueueService`].
pub struct QueueServiceDeps {
    /// The queue it serves; tokens of other queues are rejected.
    pub queue: QueueId,
    /// The policy its store keeps, for forecasts.
    pub policy: AdmissionPolicy,
    /// The poll intervals.
    pub poll_interval: PollInterval,
    /// The maximum age of a token; an older one is from a sale that is over. Joining again issues a
    /// fresh one.
    pub token_ttl: Duration,
    /// The maximum age of the node's view. With an older one, responses are marked stale and
    /// admission stops.
    pub stale_after: Duration,
    /// Keeps the queue.
    pub store: Arc<dyn QueueStore>,
    /// Signs the tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Where numbers are reserved before they are issued. With `None`, losing the store and all
    /// nodes at once may restart the queue from the beginning.
    pub reserve: Option<NumberReservation>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

/// A place just issued: its token and its status.
#[derive(Debug)]
pub struct Ticket {
    /// The signed text that is the place.
    pub token: WaitingToken,
    /// The status reported to the user.
    pub status: QueueStatus,
    /// Whether the user held the place before.
    pub rejoined: bool,
}

/// The place of a verified token, and its status in this node's view at that moment.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedPlace {
    place: TokenClaims,
    number_status: NumberStatus,
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
pub struct Tick {
    /// The store's response.
    pub called: Called,
    /// The waits of the people called since this node's last tick, by any node. People who joined
    /// before this node's first tick are left out.
    pub waits: Vec<Wait>,
}

/// The use cases of one queue on one node. All requests share it, and none waits for another.
pub struct QueueService {
    deps: QueueServiceDeps,
    view: LocalView,
    reserved: Option<Reserved>,
    counts: Counters,
}

impl QueueService {
    /// A service without a view of its queue yet; [`tick`](Self::tick) fetches it.
    #[must_use]
    pub fn new(mut deps: QueueServiceDeps) -> Self {
        let view = LocalView::new(&deps.policy);
        let reserved = deps.reserve.take().map(Reserved::new);
        Self { deps, view, reserved, counts: Counters::default() }
    }

    /// Issues a place to the user, or finds the one they hold. Retrying is always safe. With the
    /// `token` of their place, the user finds it even if the store has lost the holder. A token
    /// past its lifetime counts as none.
    ///
    /// # Errors
    /// [`QueueError::Forged`] for a token that is not accepted or is another user's,
    /// [`QueueError::QueueFull`] or [`QueueError::Store`].
    pub async fn join(&self, user: UserId, token: Option<&str>) -> Result<Ticket, QueueError> {
        let joining = async {
            let presented = token.map(|token| self.presented(user, token)).transpose()?.flatten();
            let joined = match self.join_store(user, presented).await? {
                Ok(joined) => joined,
                Err(JoinError::AboveCeiling) => return Err(not_reserved()),
                Err(JoinError::QueueFull) => {
                    return Err(
                        QueueError::QueueFull { retry_after: self.room_expected_in() }.into()
                    );
                }
                Err(JoinError::ViewBehind) => {
                    return Err(PortError::new(PortErrorKind::NotReady, Dependency::QUEUE).into());
                }
                Err(JoinError::Store(error)) => return Err(error.into()),
            };
            self.counts.joined(joined.rejoined);
            self.view.note(joined.counters);
            let now = self.deps.clock.now();
            let Joined { number, incarnation, .. } = joined;
            let place =
                TokenClaims { queue: self.deps.queue, incarnation, number, user, issued_at: now };
            let number_status = self.view.lookup(Shown::from(&place), joined.counters);
            if !number_status.is_accepted {
                // The store has learned it since this node's last refresh.
                self.view.note_incarnation(incarnation);
            }
            let token = self.deps.signer.sign(&place);
            let status = self.report(number, joined.place_status, number_status, false, now);
            Ok(Ticket { token, status, rejoined: joined.rejoined })
        };
        self.counts.answer(joining.await)
    }

    /// Joins, and retries once if this node must first fetch the skipped numbers.
    async fn join_store(
        &self,
        user: UserId,
        presented: Option<Shown>,
    ) -> Result<Result<Joined, JoinError>, Refusal> {
        let joined = self.deps.store.join(user, presented, self.bounds()?).await;
        if !matches!(joined, Err(JoinError::ViewBehind)) {
            return Ok(joined);
        }
        self.catch_up().await?;
        Ok(self.deps.store.join(user, presented, self.bounds()?).await)
    }

    /// Fetches the vacant numbers between two refreshes.
    async fn catch_up(&self) -> Result<(), PortError> {
        let snapshot = self.deps.store.snapshot(self.view.counters()).await?;
        self.view.note_vacant(&snapshot);
        Ok(())
    }

    /// The number and incarnation of the token that a user presents when joining.
    fn presented(&self, user: UserId, token: &str) -> Result<Option<Shown>, Refusal> {
        match self.verify_token(token, self.deps.clock.now()) {
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
        let checking = async {
            match self.verify_token(token, self.deps.clock.now()) {
                Ok((place, _)) if place.user != user => Err(TokenRejected::BadSignature.into()),
                Ok((_, NumberStatus { has_left: true, .. })) => Ok(false),
                Ok((place, NumberStatus { is_called: true, .. })) => {
                    let place_status = self.deps.store.place_status(&place).await;
                    Ok(!matches!(place_status, Ok(PlaceStatus::Gone)))
                }
                Ok(_) => Ok(true),
                Err(refusal) if refusal.is_of_the_past() => Ok(false),
                Err(refusal) => Err(refusal),
            }
        };
        self.counts.answer(checking.await)
    }

    /// Verifies a token without calling the store: the first step of a status query. So rate limits
    /// can go by the caller instead of the presented text.
    ///
    /// # Errors
    /// [`QueueError::Forged`], or [`QueueError::Gone`] for a token past its lifetime.
    pub fn verify(&self, token: &str) -> Result<VerifiedPlace, QueueError> {
        let opened = self.verify_token(token, self.deps.clock.now());
        self.counts
            .answer(opened)
            .map(|(place, number_status)| VerifiedPlace { place, number_status })
    }

    /// Returns the status of a place. While it waits, this calls no store, unless the store may not
    /// know the place yet. If the store fails, the status comes from this node's last view.
    pub async fn status(&self, verified: VerifiedPlace) -> QueueStatus {
        let VerifiedPlace { place, mut number_status } = verified;
        let mut now = self.deps.clock.now();
        let is_stale = self.is_stale_at(now);
        let (place_status, is_stale) = match number_status {
            NumberStatus { is_called: true, .. } => {
                let place_status = self.deps.store.place_status(&place).await;
                now = self.deps.clock.now();
                let unknown =
                    PlaceStatus::Called { until: Expiry::new(QueueTime::START, QueueTime::START) };
                place_status.map_or((unknown, true), |place_status| (place_status, is_stale))
            }
            NumberStatus { has_left: true, .. } => (PlaceStatus::Gone, is_stale),
            NumberStatus { is_unproved: true, .. } if !is_stale => {
                (self.prove(&place, &mut number_status).await, is_stale)
            }
            NumberStatus { .. } => (PlaceStatus::Waiting, is_stale),
        };
        self.report(place.number, place_status, number_status, is_stale, now)
    }

    /// Verifies a token and returns the status of its place.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn query_status(&self, token: &str) -> Result<QueueStatus, QueueError> {
        Ok(self.status(self.verify(token)?).await)
    }

    /// Presents a waiting place to a store that may not know it, so that it is called in the order
    /// of its number.
    async fn prove(&self, place: &TokenClaims, number_status: &mut NumberStatus) -> PlaceStatus {
        let Ok(place_status) = self.deps.store.place_status(place).await else {
            return PlaceStatus::Waiting;
        };
        if place.number.get() > self.view.counters().last() && self.catch_up().await.is_ok() {
            *number_status = self.view.lookup(Shown::from(place), self.view.counters());
        }
        place_status
    }

    /// Releases the place, call or session of a token.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn leave(&self, token: &str) -> Result<(), QueueError> {
        let leaving = async {
            let (place, _) = self.verify_token(token, self.deps.clock.now())?;
            self.deps.store.release(&place).await.map_err(|error| match error {
                // A signed place held by another user: a lost store issued its number, and the next
                // store reissued it.
                ReleaseError::NotFound | ReleaseError::Gone | ReleaseError::NotHolder => {
                    QueueError::Gone.into()
                }
                ReleaseError::Store(error) => error.into(),
            })
        };
        self.counts.answer(leaving.await)
    }

    /// One tick of the loop that every node runs: calls the people allowed and refreshes this
    /// node's view, in one call to the store, whatever the number of users.
    ///
    /// # Errors
    /// [`PortError`] if the store failed; then the view stays as it was, and becomes stale.
    pub async fn tick(&self) -> Result<Tick, PortError> {
        let requested_at = self.deps.clock.now();
        let shown = self.view.take_shown();
        let called =
            self.deps.store.call_next(self.view.counters(), shown).await.inspect_err(|_| {
                shown.into_iter().for_each(|shown| self.view.note_shown(shown));
            })?;
        self.counts.called(called.count);
        let waits = self.view.learn(&called.snapshot, requested_at);
        Ok(Tick { called, waits })
    }

    /// One tick of the checkpoint loop: first reads the checkpoint, from then on saves the queue's
    /// progress. Joins fail until it is read.
    ///
    /// # Errors
    /// [`PortError`] if the checkpoint store, or at first the queue store, failed.
    pub async fn save_checkpoint(&self) -> Result<(), PortError> {
        let Some(reserved) = &self.reserved else { return Ok(()) };
        let queue = self.deps.queue;
        let reported = self.view.reported();
        let settled = reserved.settle(queue, self.deps.store.as_ref(), reported.generation).await?;
        settled.iter().for_each(|snapshot| self.view.note_vacant(snapshot));
        let Reported { outcomes, incarnations, .. } = self.view.reported();
        reserved
            .save(queue, self.view.counters(), incarnations, outcomes.joined, self.deps.clock.now())
            .await
    }

    /// Whether this node's view of the queue is older than allowed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale_at(self.deps.clock.now())
    }

    fn is_stale_at(&self, now: Timestamp) -> bool {
        self.view.age(now) > self.deps.stale_after
    }

    /// The counters of the queue in this node's view.
    #[must_use]
    pub fn counters(&self) -> QueueCounters {
        self.view.counters()
    }

    /// This node's counters. Reading them is cheap and blocks no request.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.counts.read()
    }

    /// This node's view of the queue, without calling the store.
    #[must_use]
    pub fn view(&self) -> QueueStats {
        let counters = self.view.counters();
        let Reported { called, active, recovers, may_join, outcomes, .. } = self.view.reported();
        let last_step = self.view.refreshed();
        QueueStats {
            counters,
            waiting: self.view.people_waiting(counters),
            called,
            active,
            recovers,
            may_join,
            outcomes,
            age: last_step.map(|_| self.view.age(self.deps.clock.now())),
            stale_after: self.deps.stale_after,
            max_active: self.deps.policy.spec().max_active,
            last_step,
            people_called: self.counts.people_called(),
        }
    }

    /// The bounds of the next number.
    fn bounds(&self) -> Result<NumberBounds, Refusal> {
        let floor = self.view.counters();
        match &self.reserved {
            None => Ok(NumberBounds::above(floor)),
            Some(reserved) => {
                let Reported { generation, is_settled, .. } = self.view.reported();
                let ceiling = reserved.ceiling(generation, is_settled).ok_or_else(not_reserved)?;
                Ok(NumberBounds { floor, ceiling })
            }
        }
    }

    /// Verifies that a token is of this queue and within its lifetime, and finds its number in this
    /// node's view.
    fn verify_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(TokenClaims, NumberStatus), Refusal> {
        let place = self.deps.signer.verify(token)?;
        if place.queue != self.deps.queue {
            return Err(TokenRejected::ForeignQueue.into());
        }
        let age = Duration::try_from(now.duration_since(place.issued_at)).unwrap_or_default();
        if age > self.deps.token_ttl {
            return Err(QueueError::Gone.into());
        }
        let shown = Shown::from(&place);
        let number_status = self.view.lookup(shown, self.view.counters());
        if !number_status.is_accepted {
            return Err(TokenRejected::ForeignIncarnation.into());
        }
        self.view.note_shown(shown);
        Ok((place, number_status))
    }

    /// The expected time until a full queue has room: one call at the fastest rate, and at least a
    /// second.
    fn room_expected_in(&self) -> Duration {
        let one_call = 1.0 / self.deps.policy.fastest_rate();
        Duration::try_from_secs_f64(one_call).unwrap_or_default().max(Duration::from_secs(1))
    }

    fn report(
        &self,
        number: QueueNumber,
        place_status: PlaceStatus,
        number_status: NumberStatus,
        is_stale: bool,
        now: Timestamp,
    ) -> QueueStatus {
        let poll_interval = &self.deps.poll_interval;
        let (position, eta, wait_limit) = match place_status {
            // A late holder of a skipped number is next, although the queue has passed the number.
            PlaceStatus::Waiting => (
                number_status.position.max(Position::NEXT),
                number_status.eta,
                Some(number_status.limit),
            ),
            PlaceStatus::Called { .. } | PlaceStatus::Active { .. } | PlaceStatus::Gone => {
                (Position::CALLED, Duration::ZERO, None)
            }
        };
        let poll_after = match place_status {
            PlaceStatus::Waiting => Some(poll_interval.poll_after(eta, number, now)),
            PlaceStatus::Called { until } | PlaceStatus::Active { until } => {
                Some(poll_interval.poll_after(until.remaining, number, now))
            }
            PlaceStatus::Gone => None,
        };
        let expires_at = match place_status {
            PlaceStatus::Called { until } | PlaceStatus::Active { until } => {
                now.checked_add(until.remaining).ok().filter(|_| !is_stale)
            }
            PlaceStatus::Waiting | PlaceStatus::Gone => None,
        };
        QueueStatus {
            number,
            place_status,
            is_stale,
            position,
            eta,
            wait_limit,
            poll_after,
            expires_at,
        }
    }
}

fn stale_view() -> Refusal {
    let error = PortError::new(PortErrorKind::Unavailable, Dependency::QUEUE);
    Refusal::unavailable(Reason::StaleView, error.because("this node's view of the queue is stale"))
}

fn not_reserved() -> Refusal {
    let error = PortError::new(PortErrorKind::Unavailable, Dependency::QUEUE);
    Refusal::unavailable(
        Reason::NotReserved,
        error.because("no number is reserved in the checkpoint"),
    )
}

#[cfg(test)]
mod tests;
