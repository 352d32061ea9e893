#![doc = include_str!("../README.md")]

mod address;
mod advisory_lock;
mod checkpoint;
mod concert;
mod connect;
mod connection;
mod error;
mod health;
mod id;
mod import;
mod limits;
mod migrate;
mod pool;
mod pooler;
mod pooler_check;
mod schedule;
mod schema;
mod seed;
mod session;
mod sqlstates;

pub use address::{InvalidPostgresAddress, PostgresAddress};
pub use checkpoint::PostgresCheckpoints;
pub use concert::PostgresCatalog;
pub use connection_pool::{PoolSettings, PoolState};
pub use error::SetupError;
pub use health::{PostgresDependency, PostgresUse};
pub use import::{
    ImportChanges, ImportCounts, ImportDate, ImportEntry, ImportFault, ImportFaults, ImportMode,
    ImportOutcome, ImportPosition, ImportProgress, MAX_IMPORT_ENTRIES, MAX_IMPORT_SEATS, import,
};
pub use limits::SessionLimits;
pub use migrate::{check_schema, migrate, revert_last};
pub use pool::Postgres;
pub use pooler::Pooler;
pub use schedule::open_dates_statement;
pub use seed::{Seeded, seed};
