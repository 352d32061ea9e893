#![doc = include_str!("../README.md")]

mod api;
mod concert;
mod door;
mod edge;
mod language;
mod lifecycle;
mod ops;
mod outages;
mod overload;
mod problem;
mod queue;
mod routes;
mod schedule;
mod server;
mod time;
mod yardstick;

pub use api::Api;
pub use concert::{ConcertPages, PageCacheSettings};
pub use lifecycle::{Lifecycle, Phase};
pub use outages::Outages;
pub use overload::{AddressFrom, GateCounts, GateSettings, Overload, OverloadCounts, OverloadSettings, Rate};
pub use problem::reference::markdown as error_reference;
pub use server::{HttpSettings, Listener, Stopper, listen_ops, listen_public, listen_yardstick};
