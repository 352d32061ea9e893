//! Chooses the adapter of each port: one file and one function per port.

mod cache;
mod catalogue;
mod checkpoints;
mod clock;
mod database;
mod protection;
mod queue_store;
mod token_sealer;

pub(crate) use cache::{cached, shared_level};
pub(crate) use catalogue::{Catalogue, catalogue};
pub(crate) use checkpoints::reserve;
pub(crate) use clock::{steady_clock, wall_clock};
pub(crate) use database::{Database, database};
pub(crate) use protection::{
    CatalogueGuards, protected_cache_store, protected_concerts, protected_dates, protected_line,
};
pub(crate) use queue_store::{LineStore, queue_store};
pub(crate) use token_sealer::{join_puzzles, token_keys, token_sealer};
