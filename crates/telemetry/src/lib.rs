#![doc = include_str!("../README.md")]

mod counter;
mod error;
mod export;
mod log;
pub mod metrics;
mod panics;
mod process;
mod resource;
mod self_metrics;
mod settings;
mod start;
mod traces;

pub use error::TelemetryError;
pub use log::{FlushGuard, check_filter};
pub use settings::{LogFormat, Otlp, Protocol, Sampling, Settings};
pub use start::{Instruments, Telemetry};
pub use traces::RequestSpans;
