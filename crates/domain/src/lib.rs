#![doc = include_str!("../README.md")]

pub mod clock;
pub mod concert;
pub mod dependency;
pub mod error;
pub mod health;
mod id;
pub mod queue;
pub mod sample_catalog;
pub mod schedule;

pub use clock::Clock;
#[cfg(any(test, feature = "mocks"))]
pub use clock::MockClock;
pub use dependency::Dependency;
pub use error::{PortError, PortErrorKind};
pub use health::HealthCheck;
#[cfg(any(test, feature = "mocks"))]
pub use health::MockHealthCheck;
/// A point in time in UTC, to the nanosecond.
pub use jiff::Timestamp;
