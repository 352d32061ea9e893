#![doc = include_str!("../README.md")]

mod attempts;
mod error;
mod manager;
mod meter;
mod pool;
mod settings;
mod slot;

pub use bb8::ManageConnection;

pub use error::{ConnectError, PoolError};
pub use meter::{Meter, PoolState};
pub use pool::{Call, ConnectionPool};
pub use settings::{PoolSettings, ServerLimits};
pub use slot::Slot;
