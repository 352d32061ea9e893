//! One line of people in front of one sale.
//!
//! A line is two integers (see [`Line`]); everything else about a waiting person is inside the token that person holds
//! (see [`Place`]). That is why asking "where am I?" touches no store, however many people ask.

mod budget;
mod checkpoint;
mod counts;
mod error;
mod estimate;
mod id;
mod incarnation;
mod line;
mod pacing;
mod place;
mod policy;
mod ports;
mod puzzle;
mod recovery;
mod replica;
mod reserve;
mod service;
mod standing;
mod state;
mod tally;
mod time;
mod timeline;
mod user;
mod vacant;
mod view;
mod watch;

pub use budget::CallBudget;
pub use checkpoint::{Checkpoint, CheckpointStore};
pub use counts::QueueCounts;
pub use error::{ClaimError, GiveBackError, JoinError, QueueError, TokenRejected};
pub use estimate::{Forecast, Occupancy, WaitEstimator, WaitLimit};
pub use id::{InvalidQueueId, QueueId};
pub use incarnation::{Incarnation, Incarnations, InvalidIncarnation, Shown};
pub use line::{InvalidNumber, Line, Position, QueueNumber, Snapshot};
pub use pacing::{InvalidPacing, Pacing};
pub use place::{Place, WaitingToken};
pub use policy::{AdmissionPolicy, InvalidPolicy, PolicySpec};
pub use ports::{Bounds, Called, Joined, QueueStore, Session, TokenSealer};
pub use puzzle::{
    Difficulty, DifficultyControl, DifficultyRule, InvalidDifficulty, InvalidDifficultyRule,
    JoinPuzzle, PuzzleIssuer, PuzzleRejected,
};
pub use recovery::{
    Arrival, Change, Doubt, Memory, NodeId, NodeRecord, Outcome, ProcessId, StoreMarks, Witness,
};
pub use replica::{Changes, Refresh, Replica, Whole};
pub use reserve::Reserve;
pub use service::{Admission, QueueParts, QueueService, Step, Ticket, VerifiedPlace};
pub use standing::{Outlook, Standing};
pub use state::{JoinStep, QueueState, Refused, Visit};
pub use tally::Tally;
pub use time::{Expiry, QueueTime};
pub use timeline::Wait;
pub use user::{InvalidUserId, UserId};
pub use vacant::VacantNumbers;
pub use view::View;
