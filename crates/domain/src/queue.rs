//! One queue of people waiting for one sale.
//!
//! A queue is two integers (see [`QueueCounters`]); everything else about a waiting person is in
//! the token that person holds (see [`TokenClaims`]). So a status query reads no store, whatever
//! the number of queries.

mod budget;
mod checkpoint;
mod counters;
mod error;
mod id;
mod incarnation;
mod local_view;
mod node;
mod node_replica;
mod number;
mod number_reservation;
mod outcomes;
mod policy;
mod poll_interval;
mod ports;
mod puzzle;
mod queue_stats;
mod recovery;
mod service;
mod service_counts;
mod snapshot;
mod state;
mod status;
mod time;
mod token;
mod user;
mod vacant_numbers;
mod wait_estimator;
mod waits;

pub use budget::CallBudget;
#[cfg(any(test, feature = "mocks"))]
pub use checkpoint::MockCheckpointStore;
pub use checkpoint::{Checkpoint, CheckpointStore};
pub use counters::QueueCounters;
pub use error::{ClaimError, JoinError, QueueError, ReleaseError, TokenRejected};
pub use id::{InvalidQueueId, QueueId};
pub use incarnation::{Incarnation, Incarnations, InvalidIncarnation};
pub use node::NodeId;
pub use node_replica::{Changes, Refresh, Replica, Whole};
pub use number::{InvalidNumber, Position, QueueNumber};
pub use number_reservation::NumberReservation;
pub use outcomes::OutcomeCounts;
pub use policy::{AdmissionPolicy, InvalidPolicy, PolicySpec};
pub use poll_interval::{InvalidPollInterval, PollInterval};
pub use ports::{Called, Joined, NumberBounds, QueueStore, Session, TokenSigner};
#[cfg(any(test, feature = "mocks"))]
pub use ports::{MockQueueStore, MockTokenSigner};
#[cfg(any(test, feature = "mocks"))]
pub use puzzle::MockPuzzleIssuer;
pub use puzzle::{
    Difficulty, DifficultyControl, DifficultyRule, InvalidDifficulty, InvalidDifficultyRule,
    JoinPuzzle, PuzzleIssuer, PuzzleRejected,
};
pub use queue_stats::QueueStats;
pub use recovery::{
    Arrival, Change, Doubt, Memory, NodeRecord, Outcome, ProcessId, StoreMarks, Witness,
};
pub use service::{Admission, QueueService, QueueServiceDeps, Tick, Ticket, VerifiedPlace};
pub use service_counts::QueueCounts;
pub use snapshot::Snapshot;
pub use state::{JoinStep, QueueState, Refused, Visit};
pub use status::{PlaceStatus, QueueStatus};
pub use time::{Expiry, QueueTime};
pub use token::{Shown, TokenClaims, WaitingToken};
pub use user::{InvalidUserId, UserId};
pub use vacant_numbers::VacantNumbers;
pub use wait_estimator::{Forecast, Occupancy, WaitEstimator, WaitLimit};
pub use waits::Wait;
