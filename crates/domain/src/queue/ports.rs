//! The driven ports of a queue: the store that keeps it, and the signer of tokens.

use async_trait::async_trait;

use super::{
    Checkpoint, ClaimError, Expiry, Incarnation, JoinError, PlaceStatus, QueueCounters,
    QueueNumber, ReleaseError, Shown, Snapshot, TokenClaims, TokenRejected, UserId, WaitingToken,
};
use crate::PortError;

/// The bounds of the numbers when the next one is issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NumberBounds {
    /// The queue is first raised to this; see "Floors" at [`QueueStore`].
    pub floor: QueueCounters,
    /// No number above this is issued.
    pub ceiling: u64,
}

impl NumberBounds {
    /// No floor and no ceiling.
    pub const NONE: Self = Self { floor: QueueCounters::START, ceiling: QueueNumber::MAX };

    /// A floor and no ceiling.
    #[must_use]
    pub fn above(floor: QueueCounters) -> Self {
        Self { floor, ..Self::NONE }
    }
}

/// The result of a join.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Joined {
    /// The number: new, or held already.
    pub number: QueueNumber,
    /// Whether the user already held this place.
    pub rejoined: bool,
    /// The status of the place. It is already called if the queue was empty and within budget.
    pub place_status: PlaceStatus,
    /// The queue after the step.
    pub counters: QueueCounters,
    /// The incarnation that a token of this place carries: the oldest that the store accepts.
    pub incarnation: Incarnation,
}

/// The result of one step of calling.
#[derive(Clone, Debug)]
pub struct Called {
    /// The number of people called by this step.
    pub count: u64,
    /// The store's report after the step.
    pub snapshot: Snapshot,
}

/// The right to use the gated routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    /// The place it came from.
    pub number: QueueNumber,
    /// The user who holds it.
    pub user: UserId,
    /// When it ends unless it is released before.
    pub until: Expiry,
}

/// Keeps one queue. One value is one queue under one [`AdmissionPolicy`](super::AdmissionPolicy).
/// Every method is one atomic step, may be called from any number of tasks and nodes at once, and
/// uses the store's own monotonic time. A method that fails with [`PortError`] may or may not have
/// been carried out; retrying it is always safe.
///
/// # The rules every store keeps, under concurrency and faults
///
/// 1. No queue number is issued twice.
/// 2. A user who joins again while holding a place gets the same number, also when the queue is
///    full. A place is held from joining until it lapses, ends or is released.
/// 3. People are called in the order of their numbers; `serving` never goes back.
/// 4. Active sessions plus open calls never exceed `max_active`.
/// 5. In any window of `n` intervals at most `(n + 1) x batch` people are called. At most one batch
///    of unused budget is saved. On an empty queue, a person who joins within the budget (and the
///    limit of rule 4) is called at once. A number abandoned while waiting costs neither budget nor
///    slot.
/// 6. A call not claimed within `claim_within` lapses; a session ends at `session_ttl`, or at once
///    when released. Either frees a slot at the next call. At the moment of `until` it is over.
/// 7. Only its holder can release a place.
/// 8. Only a called number gets a session. A claim happens once, and claiming again returns the
///    same session.
/// 9. Errors are distinct: not found, not called yet, no longer valid, another user's, store
///    unavailable, queue full.
///
/// The [`OutcomeCounts`](super::OutcomeCounts) counts each claim, lapse, departure and end once, by
/// the time a snapshot could show it.
///
/// # Time
///
/// Calls, sessions and the budget run on the queue's own time (see
/// [`QueueTime`](super::QueueTime)). It stops while the store is unavailable, and no step of a
/// clock shortens it by more than a second.
///
/// # Floors
///
/// A store can lose data; its witnesses (nodes and checkpoints) remember how far the queue had
/// come. They pass that in as a `floor`: the step first raises the queue to it, and never lowers
/// anything. A floor above the store's own counters proves a loss. Numbers up to the floor were
/// issued, so a token for one is valid. Numbers between the two values of `serving` were called,
/// and those calls are open from now on.
///
/// # Incarnations
///
/// A store knows the incarnations whose tokens it accepts (see [`Incarnation`]): from its nodes,
/// from a checkpoint, or because it created the first one of this queue. A place of any other
/// incarnation belongs to no user. If no witness remembers the queue, its store adopts one
/// incarnation that a token carries within a few seconds, so that tokens outlive a queue kept in
/// memory.
///
/// A token is not a witness, because anyone may present one of a rehearsal: it never makes a store
/// doubt, and stops no joins. If a token [shows](Shown) a number above all issued ones, the store
/// skips it, all numbers between, and some beyond, so that it is not reissued. It does so a bounded
/// number of times. The holder of a skipped number has a place in the order of the numbers.
///
/// A store that cannot rule out a loss is in doubt (see [`Doubt`](super::Doubt)). Until its
/// witnesses have reported, it calls and issues no number and accepts no claim. It reports no place
/// as gone, but fails with [`PortErrorKind::NotReady`](crate::PortErrorKind::NotReady). Running
/// sessions continue.
///
/// A number belongs to one user. If a store has lost the holder of a number, it accepts the first
/// user who claims it with a token, and no other after that. So no retry or duplicate puts two
/// people into one slot.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Issues the next number to the user, or finds the one they hold, then calls people as
    /// [`call_next`] does, so that an empty queue calls the newcomer at once. `presented` has the
    /// number and incarnation of the user's token, if they sent one: with it the store finds their
    /// place even after it has lost the holder. If a user has two places, the older one counts, and
    /// the younger one is released.
    ///
    /// # Errors
    /// [`JoinError::QueueFull`] if `max_waiting` numbers wait already, [`JoinError::AboveCeiling`]
    /// if the next number is above the ceiling, [`JoinError::ViewBehind`] if the caller must take a
    /// [`snapshot`](Self::snapshot) first. Then nothing has changed except through `floor` and
    /// `presented`.
    ///
    /// [`call_next`]: Self::call_next
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError>;

    /// Raises the queue to `floor`, applies the highest number that a token has `shown` to the
    /// caller above all it knows, ends calls and sessions that are over, then calls as many people
    /// as budget and slots allow. With nothing to do it changes nothing. Any node may call it at
    /// any time; the outcome is as if one node had.
    ///
    /// # Errors
    /// [`PortError`] if the store failed.
    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError>;

    /// The current state of the queue, after raising it to `floor`.
    ///
    /// # Errors
    /// [`PortError`] if the store failed.
    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError>;

    /// Applies a checkpoint, once for each generation of the store, even if several nodes call it.
    /// `generation` is the one the checkpoint was read in; in any other one the call changes
    /// nothing. A store that has lost nothing stays as it is. Any other store is raised to the
    /// checkpoint once its doubt is over, and continues above the ceiling. The numbers between are
    /// skipped: they cost no position and no slot, unless their holder turns up.
    ///
    /// # Errors
    /// [`PortError`] if the store failed.
    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError>;

    /// The status of a place. If the store has lost the holder of its number, the status is that of
    /// the number. A place of another user or of an unknown incarnation is [`PlaceStatus::Gone`].
    ///
    /// # Errors
    /// [`PortError`] if the store failed.
    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError>;

    /// Turns the call into a session, or returns the session it already became. If the user holds
    /// another place, the older of the two counts, and the younger is released; if that is the
    /// claimed one, the result is [`ClaimError::Gone`].
    ///
    /// # Errors
    /// [`ClaimError`]; each variant says when. Then nothing has changed except as described above.
    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError>;

    /// Releases the place, call or session at once.
    ///
    /// # Errors
    /// [`ReleaseError`]; each variant says when. Then nothing has changed.
    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError>;
}

/// Signs places and verifies tokens without calling a store. Pure computation: it never blocks.
///
/// A text that was altered in any bit, cut, extended or signed with a key that is not live is
/// rejected, in time that does not depend on the position of the difference. A text signed with any
/// live key is accepted, whichever key signs now.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait TokenSigner: Send + Sync {
    /// Signs a place.
    fn sign(&self, place: &TokenClaims) -> WaitingToken;

    /// Verifies a token and returns its place.
    ///
    /// # Errors
    /// [`TokenRejected`], but never [`TokenRejected::ForeignQueue`] or
    /// [`TokenRejected::ForeignIncarnation`]: only the caller knows which queue it serves.
    fn verify(&self, text: &str) -> Result<TokenClaims, TokenRejected>;
}
