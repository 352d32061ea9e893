//! Private Redis servers: single, a pair, a cluster, or watched by sentinels.

mod binaries;
mod cli;
mod cluster;
mod cluster_view;
mod sentinel;
mod server;
mod setup;
mod slots;

pub use binaries::{RedisBinaries, find_or_install_redis};
pub use cluster::RedisCluster;
pub use sentinel::RedisSentinels;
pub use server::Redis;
pub use setup::{RedisSetup, RedisTlsFiles};
