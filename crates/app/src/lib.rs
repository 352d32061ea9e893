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
mod stop;
mod wiring;

pub use application::{Application, StartError};
pub use command::run;
pub use descriptors::TooFewDescriptors;
