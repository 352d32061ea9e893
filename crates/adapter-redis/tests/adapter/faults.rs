//! Faults of every kind while people use the queue. Each test breaks its own servers, and the rules
//! check the recorded answers.

mod cluster;
mod crash;
mod expiry;
mod failover;
mod foreign;
mod giving_back;
mod limits;
mod loss;
mod memory;
mod model;
mod server_safety;
mod silence;
mod witnesses;

use std::time::Duration;

use adapter_redis::{ConnectionSettings, RedisQueueSettings};
use test_support::{Outcome, Redis, RedisSetup};

use crate::storm::brisk;
use crate::support::{binaries, new_queue, settings};

/// A server to break.
pub(crate) fn server() -> Redis {
    blocking(|| Redis::start(&binaries(), RedisSetup::default()))
}

/// Settings of a node under load, on a new queue.
fn brisk_settings() -> RedisQueueSettings {
    let answer = Duration::from_secs(2);
    RedisQueueSettings {
        connection: ConnectionSettings { connect: answer, answer, max_in_flight: 10_000 },
        remember: Duration::from_secs(1),
        ..settings(new_queue(), brisk())
    }
}

/// Runs a blocking action on servers.
pub(crate) fn blocking<T>(deed: impl FnOnce() -> Outcome<T>) -> T {
    tokio::task::block_in_place(deed).unwrap()
}
