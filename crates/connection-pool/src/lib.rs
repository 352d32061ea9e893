#![doc = include_str!("../README.md")]

mod error;
mod manager;
mod meter;
mod pool;
mod settings;
mod slot;

pub use bb8::ManageConnection;

pub use error::PoolError;
pub use meter::{Meter, PoolState};
pub use pool::{Call, ConnectionPool};
pub use settings::PoolSettings;
pub use slot::Slot;
