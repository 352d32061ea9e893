//! A private Redis pair, watched by sentinels.

use std::net::SocketAddr;

use super::binaries::RedisBinaries;
use super::server::Redis;
use super::setup::RedisSetup;
use crate::error::{Outcome, failed};
use crate::process::{START_LIMIT, wait_until};

/// A primary, a replica and three sentinels. If two sentinels find the primary down for one second,
/// they promote the replica.
pub struct RedisSentinels {
    primary: Redis,
    replica: Redis,
    sentinels: Vec<Redis>,
}

/// The name of the primary in the sentinels.
const NAME: &str = "boxoffice";

/// The number of sentinels.
const SENTINELS: usize = 3;

/// In milliseconds: the time without an answer after which the primary is down, and the time after
/// which a failover is retried.
const DOWN_AFTER: u32 = 1000;
const FAILOVER_TIMEOUT: u32 = 5000;

impl RedisSentinels {
    /// Starts all servers; every sentinel knows the others and the replica when this returns.
    ///
    /// # Errors
    /// The cause; after 60 s, the condition that is not met.
    pub fn start(binaries: &RedisBinaries) -> Outcome<Self> {
        let primary = Redis::start(binaries, RedisSetup::default())?;
        let replica = Redis::start(binaries, RedisSetup::default().replica_of(primary.address()))?;
        // Sentinels query the primary for its replicas at once, and then not for ten seconds.
        primary.wait_for_replica(&replica)?;
        let watching = watching(primary.address());
        let start = |_| Redis::start(binaries, watching.clone());
        let sentinels = (0..SENTINELS).map(start).collect::<Outcome<Vec<_>>>()?;
        wait_until("the sentinels know all servers", START_LIMIT, || {
            sentinels.iter().try_for_each(check)
        })?;
        Ok(Self { primary, replica, sentinels })
    }

    /// The addresses of the sentinels.
    #[must_use]
    pub fn sentinels(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(Redis::address).collect()
    }

    /// The sentinels, in the same order.
    #[must_use]
    pub fn sentinel_servers(&self) -> &[Redis] {
        &self.sentinels
    }

    /// The name of the primary in the sentinels.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The server that starts as the primary.
    #[must_use]
    pub fn primary(&self) -> &Redis {
        &self.primary
    }

    /// The server that starts as the replica.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    /// The current address of the primary by a majority of the sentinels, which may change slightly
    /// before or after the promotion of a replica.
    ///
    /// # Errors
    /// If they disagree or do not answer.
    pub fn primary_address(&self) -> Outcome<SocketAddr> {
        let awake = self.sentinels.iter().filter(|sentinel| sentinel.is_awake());
        let said: Vec<SocketAddr> = awake.filter_map(|sentinel| said_by(sentinel).ok()).collect();
        let count = |address: &SocketAddr| said.iter().filter(|other| *other == address).count();
        let agreed = said.iter().find(|address| 2 * count(address) > SENTINELS);
        agreed.copied().ok_or_else(|| failed(format!("the sentinels say {said:?}")))
    }
}

fn watching(primary: SocketAddr) -> RedisSetup {
    let quorum = SENTINELS / 2 + 1;
    RedisSetup::default()
        .sentinel()
        .line(format!("sentinel monitor {NAME} {} {} {quorum}", primary.ip(), primary.port()))
        .line(format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER}"))
        .line(format!("sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT}"))
}

/// The address of the primary according to this sentinel.
fn said_by(sentinel: &Redis) -> Outcome<SocketAddr> {
    let said = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    said.replace('\n', ":").parse().map_err(|_| failed(format!("{said:?} is not an address")))
}

/// Fails while this sentinel cannot take part in a failover.
fn check(sentinel: &Redis) -> Outcome {
    let primary = sentinel.command(&["SENTINEL", "MASTER", NAME])?;
    expect(&primary, "flags", "master")?;
    expect(&primary, "num-slaves", "1")?;
    expect(&primary, "num-other-sentinels", &(SENTINELS - 1).to_string())?;
    let replica = sentinel.command(&["SENTINEL", "REPLICAS", NAME])?;
    expect(&replica, "flags", "slave")?;
    expect(&replica, "master-link-status", "ok")?;
    sentinel.command(&["SENTINEL", "CKQUORUM", NAME]).map(drop)
}

/// Fails unless a field has this value; fields and values are alternating lines.
fn expect(said: &str, field: &str, value: &str) -> Outcome {
    let lines: Vec<&str> = said.lines().collect();
    let pair = lines.chunks(2).find(|pair| pair[0] == field);
    match pair.and_then(|pair| pair.get(1)) {
        Some(is) if *is == value => Ok(()),
        is => Err(failed(format!("{field} is {is:?}, not {value}"))),
    }
}
