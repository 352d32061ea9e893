//! InfluxDB 1.x: a server for the results of k6.

mod binaries;
mod server;

pub use binaries::{InfluxBinaries, find_or_install_influxdb};
pub use server::{Influx, Series};
