//! Which adapter answers which port: one port, one file, one function.

mod catalogue;
mod checkpoints;
mod clock;
mod database;
mod queue_store;
mod token_sealer;

pub(crate) use catalogue::{Catalogue, catalogue};
pub(crate) use checkpoints::reserve;
pub(crate) use clock::{steady_clock, wall_clock};
pub(crate) use database::{Database, database};
pub(crate) use queue_store::{LineStore, queue_store};
pub(crate) use token_sealer::token_sealer;
