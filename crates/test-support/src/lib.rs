#![doc = include_str!("../README.md")]

mod api_checkers;
mod balancer;
mod binaries;
mod database;
mod debootstrap;
mod error;
mod fault_proxy;
mod haproxy;
mod helm;
mod influxdb;
mod install;
mod k6;
mod leftover_processes;
mod nginx;
pub mod observability;
mod open_transaction;
pub mod otlp;
mod pgbouncer;
mod postgres;
mod process;
mod prometheus;
mod python;
mod recording_client;
mod redis;
mod server_process;
pub mod workspace;

pub use api_checkers::{ApiCheckers, find_or_install_api_checkers};
pub use balancer::Balancer;
pub use binaries::{PostgresBinaries, find_or_install_postgres};
pub use database::{Database, SERVER_VARIABLE};
pub use debootstrap::{can_debootstrap, find_or_install_debootstrap};
pub use error::{Doing, Outcome, TaskError, failed};
pub use fault_proxy::FaultProxy;
pub use haproxy::find_or_install_haproxy;
pub use helm::{HelmTools, find_or_install_helm};
pub use influxdb::{Influx, InfluxBinaries, Series, find_or_install_influxdb};
pub use k6::{K6Binary, find_or_install_k6};
pub use nginx::find_or_install_nginx;
pub use open_transaction::OpenTransaction;
pub use pgbouncer::{PgBouncer, PgBouncerSetup, PoolMode, find_or_install_pgbouncer};
pub use postgres::{Durability, Postgres};
pub use process::run_within;
pub use prometheus::{Prometheus, PrometheusBinaries, Sample, find_or_install_prometheus};
pub use recording_client::{RecordingClient, RecordingClients, Reply};
pub use redis::{
    Redis, RedisBinaries, RedisCluster, RedisSentinels, RedisSetup, RedisTlsFiles,
    find_or_install_redis,
};
