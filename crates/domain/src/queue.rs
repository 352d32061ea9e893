//! One queue of people waiting for one sale.
//!
//! A queue is two integers (see [`Line`]); everything else about a waiting person is in the token
//! that person holds (see [`Place`]). So a status query reads no store, whatever the number of
//! queries.

mod budget;
mod checkpoint;
mod counts;
mod error;
mod estimate;
mod id;
mod incarnation;
mod line;
mod node;
mod number;
mod pacing;
mod place;
mod policy;
mod ports;
mod puzzle;
mod recovery;
mod replica;
mod reserve;
mod service;
mod snapshot;
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
pub use incarnation::{Incarnation, Incarnations, InvalidIncarnation};
pub use line::Line;
pub use node::NodeId;
pub use number::{InvalidNumber, Position, QueueNumber};
pub use pacing::{InvalidPacing, Pacing};
pub use place::{Place, Shown, WaitingToken};
pub use policy::{AdmissionPolicy, InvalidPolicy, PolicySpec};
pub use ports::{Bounds, Called, Joined, QueueStore, Session, TokenSealer};
pub use puzzle::{
    Difficulty, DifficultyControl, DifficultyRule, InvalidDifficulty, InvalidDifficultyRule,
    JoinPuzzle, PuzzleIssuer, PuzzleRejected,
};
pub use recovery::{
    Arrival, Change, Doubt, Memory, NodeRecord, Outcome, ProcessId, StoreMarks, Witness,
};
pub use replica::{Changes, Refresh, Replica, Whole};
pub use reserve::Reserve;
pub use service::{Admission, QueueParts, QueueService, Step, Ticket, VerifiedPlace};
pub use snapshot::Snapshot;
pub use standing::{Outlook, Standing};
pub use state::{JoinStep, QueueState, Refused, Visit};
pub use tally::Tally;
pub use time::{Expiry, QueueTime};
pub use timeline::Wait;
pub use user::{InvalidUserId, UserId};
pub use vacant::VacantNumbers;
pub use view::View;
