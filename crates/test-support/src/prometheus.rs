//! Prometheus: its checks of rules, and a server that scrapes.

mod binaries;
mod server;

pub use binaries::{PrometheusBinaries, find_or_install_prometheus};
pub use server::{Prometheus, Sample};
