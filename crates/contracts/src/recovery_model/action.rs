//! The actions of a run and their answers, as plain data, so that a run can be repeated on any
//! store.

/// A user whose tokens all come from a rehearsal: they have the same key and queue id, and an
/// earlier incarnation than this queue.
pub const INTRUDER: u64 = 99;

/// A number and the user whose token shows it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shown {
    /// The user.
    pub user: u64,
    /// The number in their token.
    pub number: u64,
}

/// A request of a node to a store.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StoreCall {
    /// Calls people, and returns the queue and its changes.
    Snapshot,
    /// Replays the node's local state.
    Replay,
    /// Joins a user, who may show a token.
    Join {
        /// The user.
        user: u64,
        /// The number in a token.
        shown: Option<u64>,
    },
    /// Claims a call.
    Claim(Shown),
    /// Ends a place, call or session.
    Leave(Shown),
    /// Applies the checkpoint.
    Settle,
}

/// One step of a run. Nodes are given by index.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// A node sends a request, the store answers, and the node processes the answer.
    Do {
        /// The node.
        node: usize,
        /// The request.
        call: StoreCall,
    },
    /// A node refreshes, and replays its state if the store may have lost data.
    Refresh(usize),
    /// A refresh after a visitor showed the node a token of a rehearsal.
    Show {
        /// The node.
        node: usize,
        /// The number of the token.
        number: u64,
    },
    /// A second passes, then these nodes refresh: bit n is node n.
    Pass(u8),
    /// A node sends a request that is delayed.
    Send {
        /// The node.
        node: usize,
        /// The request.
        call: StoreCall,
    },
    /// The delayed request is executed.
    Execute,
    /// The delayed answer arrives.
    Deliver,
    /// The delayed request or answer is lost.
    Drop,
    /// A node's process ends.
    Stop(usize),
    /// A new process of a node starts.
    Start(usize),
    /// The store loses everything.
    Lose,
    /// The store restarts with all its data.
    Restart,
    /// A replica receives a copy of the store, and no later changes.
    Copy,
    /// The replica becomes the store.
    Promote,
    /// The server's clock steps by this many seconds.
    Clock(i64),
    /// A node saves a checkpoint.
    Save(usize),
}

/// The status of a place, reduced to the part that is comparable between stores.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stand {
    /// Not called yet.
    Waiting,
    /// Called.
    Called,
    /// Inside.
    Inside,
    /// Ended.
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
    /// Open calls.
    pub open: u64,
    /// Running sessions.
    pub active: u64,
    /// Whether the store is recovering.
    pub recovers: bool,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// No answer.
    Nothing,
    /// The queue, as seen by the last node that refreshed.
    Seen(Seen),
    /// The user holds a place.
    Joined {
        /// The number.
        number: u64,
        /// Whether the user held it before.
        rejoined: bool,
        /// The status of the place.
        stand: Stand,
    },
    /// Claims a call.
    LetIn,
    /// A place was released.
    Left,
    /// The queue is full.
    Full,
    /// No number is reserved.
    AboveCeiling,
    /// The store is recovering, or does not trust the node yet.
    NotReady,
    /// The number was never given.
    NotFound,
    /// The number is not called yet.
    NotYet,
    /// The place has ended.
    Gone,
    /// Another user holds the place.
    NotHolder,
}
