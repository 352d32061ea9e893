//! Time, passed in.

use crate::Timestamp;

/// Where the present comes from. Nothing in the domain reads a clock by itself, so tests move time instead of waiting.
///
/// Implementations may be asked from any thread and must not block. The answer may step backwards (a wall clock can);
/// whoever needs time that only grows keeps the highest value seen.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}
