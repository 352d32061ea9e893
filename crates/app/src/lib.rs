#![doc = include_str!("../README.md")]

mod application;
mod checkup;
mod command;
pub mod config;
mod descriptors;
mod hearing;
mod keeper;
mod metrics;
mod node_readiness;
mod start_error;
mod stop;
mod wiring;

pub use application::Application;
pub use command::run;
pub use start_error::{StartError, TooFewDescriptors};
