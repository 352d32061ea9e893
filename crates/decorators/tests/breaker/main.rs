//! The circuit breaker through its public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod contention;
mod events;
mod model;
mod permits;
mod resilience4j;
mod settings;
mod subject;
mod windows;
