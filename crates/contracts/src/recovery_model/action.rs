//! What happens in a run, and the answers: plain data, so that a run can be repeated on any store.

/// Whose tokens are all of a rehearsal: the same key and queue id, in a life before that of this
/// queue.
pub const INTRUDER: u64 = 99;

/// A number and the user who shows it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shown {
    /// The user.
    pub user: u64,
    /// The number of their token.
    pub number: u64,
}

/// What a node asks a store for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ask {
    /// Call people, report the queue and what has changed.
    Look,
    /// Take in what the node remembers.
    Replay,
    /// A place for the user, who shows a token or none.
    Join {
        /// The user.
        user: u64,
        /// The number of a token.
        shown: Option<u64>,
    },
    /// A session.
    Claim(Shown),
    /// The end of a place, call or session.
    Leave(Shown),
    /// Take in the checkpoint.
    Settle,
}

/// One step of a run. Nodes are meant by their index.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// A node asks, the store answers, the node takes the answer in.
    Do {
        /// The node.
        node: usize,
        /// What it asks for.
        ask: Ask,
    },
    /// A node looks, and replays what the store may have lost.
    Refresh(usize),
    /// The same, and a visitor has shown the node a token of a rehearsal meanwhile.
    Show {
        /// The node.
        node: usize,
        /// The number of the token.
        number: u64,
    },
    /// A second passes, then these nodes refresh: bit n is node n.
    Pass(u8),
    /// A node asks, and the request takes its time.
    Send {
        /// The node.
        node: usize,
        /// What it asks for.
        ask: Ask,
    },
    /// The late request is executed.
    Execute,
    /// The late answer arrives.
    Deliver,
    /// The late request or answer is lost.
    Drop,
    /// A node's process ends.
    Stop(usize),
    /// A new process of a node begins.
    Start(usize),
    /// The store loses everything.
    Lose,
    /// The store restarts with all it had.
    Restart,
    /// A replica takes over a copy of the store, and gets nothing new from here on.
    Copy,
    /// The replica becomes the store.
    Promote,
    /// The server's clock steps by so many seconds.
    Clock(i64),
    /// A node saves a checkpoint.
    Save(usize),
}

/// How a place stands, as far as it can be compared between stores.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stand {
    /// Not called yet.
    Waiting,
    /// Called.
    Called,
    /// Inside.
    Inside,
    /// Over.
    Gone,
}

/// The queue as a node sees it after a refresh.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Seen {
    /// The highest number given.
    pub last: u64,
    /// The highest number called.
    pub serving: u64,
    /// People called by this refresh.
    pub called: u64,
    /// Calls that stand.
    pub open: u64,
    /// Sessions.
    pub active: u64,
    /// Whether the store is in doubt.
    pub recovers: bool,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// No answer.
    Nothing,
    /// The queue, as the last node to refresh sees it.
    Seen(Seen),
    /// A place.
    Joined {
        /// Its number.
        number: u64,
        /// Whether it was held before.
        rejoined: bool,
        /// Where it stands.
        stand: Stand,
    },
    /// A session.
    LetIn,
    /// A place was given up.
    Left,
    /// The queue is full.
    Full,
    /// No number is reserved.
    AboveCeiling,
    /// The store is in doubt, or does not trust the node yet.
    NotReady,
    /// The number was never given.
    NotFound,
    /// The number is not called yet.
    NotYet,
    /// The place is over.
    Gone,
    /// The place is another user's.
    NotHolder,
}
