//! Which adapter answers which port: one port, one file, one function.

mod cache;
mod catalogue;
mod checkpoints;
mod clock;
mod database;
mod queue_store;
mod protection;
mod token_sealer;

pub(crate) use cache::{SharedLevel, cached, shared_level};
pub(crate) use catalogue::{Catalogue, catalogue};
pub(crate) use checkpoints::reserve;
pub(crate) use clock::{steady_clock, wall_clock};
pub(crate) use database::{Database, database};
pub(crate) use queue_store::{LineStore, queue_store};
pub(crate) use protection::{Protection, protected_catalogue, protected_line};
pub(crate) use token_sealer::token_sealer;
