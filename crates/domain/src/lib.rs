#![doc = include_str!("../README.md")]

pub mod clock;
pub mod concert;
pub mod error;
pub mod health;
mod id;
pub mod queue;
pub mod sample;
pub mod schedule;

pub use clock::Clock;
pub use error::{PortError, PortErrorKind};
pub use health::HealthCheck;
/// A point in time in UTC, to the nanosecond.
pub use jiff::Timestamp;
