//! Time, passed in.

use crate::Timestamp;

/// The source of the current time. The domain never reads the system clock, so tests move time
/// instead of waiting.
///
/// Implementations may be called from any thread and must not block. The time may step back, as a
/// wall clock can; a caller that needs monotonic time keeps the highest value seen.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}
