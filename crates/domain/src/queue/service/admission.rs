//! Admission in steps, so that only a response that serves the holder claims a call.

use super::super::local_view::NumberStatus;
use super::super::{ClaimError, PlaceStatus, QueueError, QueueNumber, Session, Shown, TokenClaims};
use super::{QueueService, stale_view};
use crate::Timestamp;

/// Permission to prepare a response for the holder of a place. It claims nothing:
/// [`QueueService::claim`] does, and must succeed before the holder sees any of the response.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is claimed before `QueueService::claim`"]
pub struct Admission(State);

#[derive(Clone, Copy, Debug)]
enum State {
    /// The number has been called, as far as this node knows.
    Called(TokenClaims),
    /// The store has confirmed this session.
    Active(Session),
}

impl QueueService {
    /// Verifies a token and checks whether its number is called, without the store: the first step
    /// of an admission. It refuses places that this node knows are not admitted. A node with a
    /// stale view refuses every place, because a session it remembers may have been released
    /// elsewhere.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::NotYet`], [`QueueError::Gone`], or
    /// [`QueueError::Store`] if the view is stale.
    pub fn check(&self, token: &str) -> Result<Admission, QueueError> {
        let checked = || {
            let now = self.deps.clock.now();
            let (place, number_status) = self.verify_token(token, now)?;
            match number_status {
                NumberStatus { is_called: true, .. } if self.is_stale_at(now) => Err(stale_view()),
                NumberStatus { is_called: true, .. } => Ok(Admission(State::Called(place))),
                NumberStatus { has_left: true, .. } => Err(QueueError::Gone.into()),
                NumberStatus { .. } => Err(self.not_yet(place.number, number_status, now).into()),
            }
        };
        self.counts.answer(checked())
    }

    /// Confirms with the store that the call is open or the session runs, and claims nothing. Call
    /// it before work that only admitted people may cause. A confirmed session needs no further
    /// call to the store.
    ///
    /// # Errors
    /// [`QueueError::NotYet`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn confirm(&self, admission: Admission) -> Result<Admission, QueueError> {
        let confirming = async {
            let State::Called(place) = admission.0 else { return Ok(admission) };
            match self.deps.store.place_status(&place).await? {
                PlaceStatus::Called { .. } => Ok(admission),
                PlaceStatus::Active { until } => {
                    let session = Session { number: place.number, user: place.user, until };
                    Ok(Admission(State::Active(session)))
                }
                PlaceStatus::Waiting => Err(self.not_yet_in_store(&place).into()),
                PlaceStatus::Gone => Err(QueueError::Gone.into()),
            }
        };
        self.counts.answer(confirming.await)
    }

    /// Claims the call, or finds the session it already became: the last step, once the response
    /// for the holder is ready. After [`QueueError::Store`] the call may have been claimed;
    /// claiming again returns its session.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::NotYet`], [`QueueError::Gone`] or
    /// [`QueueError::Store`].
    pub async fn claim(&self, admission: Admission) -> Result<Session, QueueError> {
        let claiming = async {
            let place = match admission.0 {
                State::Called(place) => place,
                State::Active(session) => return Ok(session),
            };
            self.deps.store.claim(&place).await.map_err(|error| match error {
                ClaimError::NotYet => self.not_yet_in_store(&place).into(),
                // A signed place held by another user: a lost store issued its number, and the next
                // store reissued it.
                ClaimError::NotFound | ClaimError::Gone | ClaimError::NotHolder => {
                    QueueError::Gone.into()
                }
                ClaimError::Store(error) => error.into(),
            })
        };
        self.counts.answer(claiming.await)
    }

    /// Runs all steps at once, for a caller whose response is the session itself.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::NotYet`], [`QueueError::Gone`] or
    /// [`QueueError::Store`].
    pub async fn admit(&self, token: &str) -> Result<Session, QueueError> {
        self.claim(self.check(token)?).await
    }

    /// The store does not know a call that this node has seen: it lost data, which a replay will
    /// restore.
    fn not_yet_in_store(&self, place: &TokenClaims) -> QueueError {
        let number_status = self.view.lookup(Shown::from(place), self.view.counters());
        self.not_yet(place.number, number_status, self.deps.clock.now())
    }

    fn not_yet(
        &self,
        number: QueueNumber,
        number_status: NumberStatus,
        now: Timestamp,
    ) -> QueueError {
        QueueError::NotYet(self.report(
            number,
            PlaceStatus::Waiting,
            number_status,
            self.is_stale_at(now),
            now,
        ))
    }
}
