//! Prometheus: `promtool`, and a private server.

mod binaries;
mod server;

pub use binaries::{PrometheusBinaries, find_or_install_prometheus};
pub use server::{Prometheus, Sample};
