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
pub(crate) use checkpoints::{checkpoint_store, reservation};
pub(crate) use clock::{Clocks, clocks};
pub(crate) use database::{Database, database, uses};
pub(crate) use queue_store::queue_store;
pub(crate) use resilience::{
    CatalogLayers, protected_cache_store, protected_concerts, protected_dates, protected_queue,
};
pub(crate) use token_signer::{Signers, signers};
