//! What a line needs from outside: a store that keeps it, and a sealer that signs places.

use async_trait::async_trait;

use super::{
    Checkpoint, ClaimError, Expiry, GiveBackError, Incarnation, JoinError, Line, Place,
    QueueNumber, Shown, Snapshot, Standing, TokenRejected, UserId, WaitingToken,
};
use crate::PortError;

/// How far the numbers of a line may and must reach when the next one is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// The line is raised to this first; see "Floors" at [`QueueStore`].
    pub floor: Line,
    /// No number above this is given.
    pub ceiling: u64,
}

impl Bounds {
    /// No floor and no ceiling.
    pub const NONE: Self = Self { floor: Line::START, ceiling: QueueNumber::MAX };

    /// A floor and no ceiling.
    #[must_use]
    pub fn above(floor: Line) -> Self {
        Self { floor, ..Self::NONE }
    }
}

/// What joining gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Joined {
    /// The number given now, or the one held already.
    pub number: QueueNumber,
    /// Whether the user held this place before.
    pub rejoined: bool,
    /// Where the user stands; already called when the line was empty and within budget.
    pub standing: Standing,
    /// The line after the step.
    pub line: Line,
    /// The life of the queue that a token of this place carries: the oldest that the store accepts.
    pub incarnation: Incarnation,
}

/// What one step of calling did.
#[derive(Clone, Debug)]
pub struct Called {
    /// People called by this step.
    pub count: u64,
    /// What the store reports after the step.
    pub snapshot: Snapshot,
}

/// The right to use the gated routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    /// The place it came from.
    pub number: QueueNumber,
    /// Whose it is.
    pub user: UserId,
    /// When it ends unless given back before.
    pub until: Expiry,
}

/// Keeps one line. One value is one queue under one [`AdmissionPolicy`](super::AdmissionPolicy); every method is one
/// atomic step, may be called from any number of tasks and nodes at once, and uses the store's own time, made to only
/// grow. A method that fails with [`PortError`] may or may not have been carried out; asking again is always safe.
///
/// # The rules every store keeps, under concurrency and faults
///
/// 1. No queue number is given twice.
/// 2. A user who joins again while holding a place gets the same number, also when the line is full. A place is held
///    from joining until it lapses, ends or is given back.
/// 3. People are called in the order of their numbers; `serving` never goes back.
/// 4. Active sessions, plus calls not yet claimed, never exceed `max_active`.
/// 5. In any window of `n` intervals at most `(n + 1) x batch` people are called. Unused budget is not saved beyond one
///    batch; on an empty line a person who joins within the budget (and the limit of rule 4) is called at once. A
///    number given back while waiting costs neither budget nor slot.
/// 6. A call not claimed within `claim_within` lapses and frees its slot; a session ends at `session_ttl`, or at once
///    when given back. Either frees a slot at the next call. At the moment named by `until` it is over.
/// 7. A place is given back by its holder only.
/// 8. Nobody gets a session without having been called; a claim happens once, and claiming again returns the same
///    session.
/// 9. Every error is told apart: not found, not yet, no longer, somebody else's, store unavailable, line full.
///
/// What it reports as [`Tally`](super::Tally) counts each claim, lapse, leaving and end once, by the time a snapshot could
/// tell of it.
///
/// # Time
///
/// Calls, sessions and the budget run on the queue's own time (see [`QueueTime`](super::QueueTime)), which stands still while
/// the store is away and which no step of a clock shortens by more than a second.
///
/// # Floors
///
/// A store can lose what it knew; its witnesses (nodes and checkpoints) remember how far the queue
/// had come. They
/// pass it in as a `floor`: the step first raises the queue to it, and never lowers anything. A floor above the store's own
/// counters proves a loss. Numbers up to it were given, so whoever presents one holds it; numbers between the two `serving`
/// were called, and that call stands from now on.
///
/// # Incarnations
///
/// A store knows the lives of the queue whose tokens it accepts (see [`Incarnation`]): from its
/// nodes, from a checkpoint, or because it has made one, as the first one known of this queue. A
/// place of any other life is nobody's. A store that nothing remembered anything of adopts one life
/// that a token shows within a few seconds, so that tokens outlive a queue that was kept in memory.
///
/// A token is no witness, since anybody may show one of a rehearsal: it never makes a store doubt,
/// and closes no joins. A number that it [shows](Shown) above all that were given is skipped with
/// all between and some beyond, a bounded number of times, so that it is not given again; whoever
/// holds one of those skipped has a place in their order.
///
/// A store that cannot rule out a loss is in doubt (see [`Doubt`](super::Doubt)): until its witnesses were heard it calls
/// nobody, gives no new number, claims no call, and says of no place that it is gone, but answers
/// [`PortErrorKind::NotReady`](crate::PortErrorKind::NotReady). Sessions that run go on.
///
/// A number belongs to one user. A store that knows no holder of a number, because it lost that, believes the first who
/// claims it with a token, and no other after that; so no repeat, from whatever cause, lets two people into one slot.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Gives the user the next number, or finds the one they hold, then calls people as [`call_next`] does, so that an
    /// empty line calls the newcomer at once. `presented` is what a token of this user shows, if
    /// they show one: it finds
    /// their place also where the store has lost who holds it. Of two places the older counts, and the younger is given up.
    ///
    /// # Errors
    /// [`JoinError::LineFull`] when `max_waiting` numbers wait already, [`JoinError::AboveCeiling`] when the next number is
    /// above the ceiling, [`JoinError::ViewBehind`] where the caller has to take a
    /// [`snapshot`](Self::snapshot) first; nothing
    /// has changed then but what `floor` and `presented` raised.
    ///
    /// [`call_next`]: Self::call_next
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError>;

    /// Raises the line to `floor`, takes in the highest number that a token has `shown` to the
    /// caller above all that it knows
    /// of, ends what has lapsed, then calls as many people as budget and slots allow. Calling with
    /// nothing to do changes nothing; any node may try at any time, and the outcome is as if one had.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn call_next(&self, floor: Line, shown: Option<Shown>) -> Result<Called, PortError>;

    /// The line as it is now, after raising it to `floor`.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError>;

    /// Takes in what a checkpoint says, once for each generation of the store, however many nodes do so. `generation` is the
    /// one the checkpoint was read in: for another nothing changes. A store that nothing was lost of goes on as it is.
    /// Any other is raised to the checkpoint, once its doubt is over, and continues above the ceiling; the numbers
    /// between are skipped: they cost nobody a position or a slot, unless their holder turns up.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError>;

    /// Where the holder of a place stands. A place whose number nobody is known to hold (the store lost it) stands as
    /// its number does; somebody else's place, or one of an unknown life of the queue, is
    /// [`Standing::Gone`].
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn standing(&self, place: &Place) -> Result<Standing, PortError>;

    /// Turns the call into a session, or returns the session it was turned into before. Where the
    /// user holds another place, the older of the two counts and the younger is given up: if that is
    /// the claimed one, it is [`ClaimError::Gone`].
    ///
    /// # Errors
    /// [`ClaimError`]; each variant says when. Nothing has changed then but what is said above.
    async fn claim(&self, place: &Place) -> Result<Session, ClaimError>;

    /// Gives the place, call or session back, at once.
    ///
    /// # Errors
    /// [`GiveBackError`]; each variant says when. Nothing has changed then.
    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError>;
}

/// Signs places and reads them back, without asking any store. Pure computation: it never blocks.
///
/// A text that was altered in any bit, cut, extended or signed with a key that is not live is refused, in time that
/// does not depend on where it differs. A text signed with any live key is accepted, whichever key signs now.
#[cfg_attr(test, mockall::automock)]
pub trait TokenSealer: Send + Sync {
    /// The signed text of a place.
    fn seal(&self, place: &Place) -> WaitingToken;

    /// Reads a text and verifies it.
    ///
    /// # Errors
    /// [`TokenRejected`], never [`TokenRejected::ForeignQueue`] or
    /// [`TokenRejected::ForeignIncarnation`]: which queue is ours is the caller's knowledge.
    fn open(&self, text: &str) -> Result<Place, TokenRejected>;
}
