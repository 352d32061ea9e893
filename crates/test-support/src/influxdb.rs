//! InfluxDB 1.x: a server that k6 writes its results to.

mod binaries;
mod server;

pub use binaries::{InfluxBinaries, find_or_install_influxdb};
pub use server::{Influx, Series};
