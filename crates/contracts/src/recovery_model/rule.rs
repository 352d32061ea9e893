//! The rules a run must keep.

/// A rule that was broken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// A number was given to a second user, though a node that remembers the first was there.
    NumberTwice,
    /// A user was given a second number while they held one that the store knows.
    UserTwice,
    /// Two people were inside with one number.
    TwoInside,
    /// More sessions than slots.
    TooManyInside,
    /// People were called while all slots were taken.
    CalledTooMany,
    /// A place is not found by its token.
    PlaceLost,
    /// A call ended before its time.
    CallCut,
    /// A call stood for longer than its time.
    CallTooLong,
    /// A session ended before its time.
    SessionCut,
    /// A session ran for longer than its time.
    SessionTooLong,
    /// The queue's time moved on by more or less than it may differ from the clock.
    TimeOff,
    /// A user was called before one with a lower number.
    OutOfOrder,
    /// A user who left has a place, call or session again.
    Undead,
    /// A call or session that was over stands again.
    StandsAgain,
    /// A person's position rose.
    PositionRose,
    /// A node was shown a queue behind the one it had seen.
    QueueBack,
    /// Numbers above the reserved ones were reached.
    BeyondReserve,
    /// A visitor's token began a doubt.
    DoubtByVisitor,
    /// A visitor's token put a person behind numbers that nobody holds.
    PhantomsByVisitor,
    /// A token of a life that the queue does not know was let in.
    OldLifeEnters,
    /// A store adopted what a token shows though it remembers, or has lived for long.
    LateAdoption,
    /// With nothing failing any more, people wait and are not called.
    StandsStill,
    /// All users are gone, and slots are still taken.
    SlotLeak,
}
