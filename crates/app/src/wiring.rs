//! Chooses the adapter of each port: one file and one function per port.

mod cache;
mod catalog;
mod checkpoints;
mod clock;
mod database;
mod queue_store;
mod resilience;
mod token_signer;

pub(crate) use cache::{cached, shared_level};
pub(crate) use catalog::{Catalog, catalog};
pub(crate) use checkpoints::reserve;
pub(crate) use clock::{steady_clock, wall_clock};
pub(crate) use database::{Database, database};
pub(crate) use queue_store::{StoreOfQueue, queue_store};
pub(crate) use resilience::{
    CatalogLayers, protected_cache_store, protected_concerts, protected_dates, protected_line,
};
pub(crate) use token_signer::{join_puzzles, token_keys, token_signer};
