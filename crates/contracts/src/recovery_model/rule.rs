//! The rules that a run must keep.

/// A violation of a rule.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// A number was given to a second user, although a node that remembers the first was present.
    NumberTwice,
    /// A user was given a second number while holding one that the store knows.
    UserTwice,
    /// Two users were inside with one number.
    TwoInside,
    /// There were more sessions than slots.
    TooManyInside,
    /// People were called while all slots were taken.
    CalledTooMany,
    /// A token did not find its place.
    PlaceLost,
    /// A call ended early.
    CallCut,
    /// A call ended late.
    CallTooLong,
    /// A session ended early.
    SessionCut,
    /// A session ended late.
    SessionTooLong,
    /// The queue's time differed from the clock by more than allowed.
    TimeOff,
    /// A user was called before one with a lower number.
    OutOfOrder,
    /// A user who left had a place, call or session again.
    Undead,
    /// A call or session that had ended was open again.
    StandsAgain,
    /// A person's position rose.
    PositionRose,
    /// A node received an older state of the queue than it had seen.
    QueueBack,
    /// A number above the reserved ones was given.
    BeyondReserve,
    /// A visitor's token started a recovery.
    DoubtByVisitor,
    /// A visitor's token put a user behind numbers without holders.
    PhantomsByVisitor,
    /// A token of an unknown incarnation was admitted.
    OldLifeEnters,
    /// A store adopted an incarnation from a token although it has state or is no longer new.
    LateAdoption,
    /// Without further faults, people wait and are not called.
    StandsStill,
    /// All users are gone, but slots are still taken.
    SlotLeak,
}
