//! Which adapter answers which port: one port, one file, one function.

mod catalogue;
mod clock;
mod queue_store;
mod token_sealer;

pub(crate) use catalogue::{Catalogue, catalogue};
pub(crate) use clock::{steady_clock, wall_clock};
pub(crate) use queue_store::queue_store;
pub(crate) use token_sealer::token_sealer;
