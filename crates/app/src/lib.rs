#![doc = include_str!("../README.md")]

mod adapter_set;
mod admission_loop;
mod application;
mod builder;
mod command;
pub mod config;
mod file_descriptors;
mod health_check_loop;
mod invalidation_loop;
mod metrics;
mod node_readiness;
mod signals;
mod start_error;
mod wire_use_cases;
mod wiring;

pub use adapter_set::Adapter;
pub use application::Application;
pub use builder::ApplicationBuilder;
pub use command::run;
pub use start_error::{StartError, TooFewDescriptors};
