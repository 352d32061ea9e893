//! A private Redis pair watched by sentinels.

use std::net::SocketAddr;

use super::binaries::RedisBinaries;
use super::server::Redis;
use super::setup::RedisSetup;
use crate::error::{Outcome, failed};
use crate::process::{START_LIMIT, wait_until};

/// A primary, a replica, and three sentinels of which two must find the primary down, for one second, to make the replica
/// the primary.
pub struct RedisSentinels {
    primary: Redis,
    replica: Redis,
    sentinels: Vec<Redis>,
}

/// What the sentinels call the primary.
const NAME: &str = "boxoffice";

/// In all.
const SENTINELS: usize = 3;

/// As milliseconds: how long the primary does not answer before it is down, and a failover before it is tried again.
const DOWN_AFTER: u32 = 1000;
const FAILOVER_TIMEOUT: u32 = 5000;

impl RedisSentinels {
    /// Starts them all; every sentinel knows the others and the replica when this returns.
    ///
    /// # Errors
    /// What went wrong, with what is not so yet where that takes longer than 60 s.
    pub fn start(binaries: &RedisBinaries) -> Outcome<Self> {
        let primary = Redis::start(binaries, RedisSetup::default())?;
        let replica = Redis::start(binaries, RedisSetup::default().replica_of(primary.address()))?;
        // Sentinels ask the primary for its replicas at once, and then not for ten seconds.
        primary.wait_for_replica(&replica)?;
        let watching = watching(primary.address());
        let start = |_| Redis::start(binaries, watching.clone());
        let sentinels = (0..SENTINELS).map(start).collect::<Outcome<Vec<_>>>()?;
        wait_until("the sentinels know everybody", START_LIMIT, || {
            sentinels.iter().try_for_each(check)
        })?;
        Ok(Self { primary, replica, sentinels })
    }

    /// Where the sentinels listen.
    #[must_use]
    pub fn sentinels(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(Redis::address).collect()
    }

    /// The sentinels themselves, in that order.
    #[must_use]
    pub fn sentinel_servers(&self) -> &[Redis] {
        &self.sentinels
    }

    /// What the sentinels call the primary.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The one that starts as the primary.
    #[must_use]
    pub fn primary(&self) -> &Redis {
        &self.primary
    }

    /// The one that starts as the replica.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    /// Where the primary is now, as more than half of the sentinels say. They say so a moment before a replica has become
    /// one, or after.
    ///
    /// # Errors
    /// When they do not agree, or do not answer.
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

/// Where this sentinel says the primary is.
fn said_by(sentinel: &Redis) -> Outcome<SocketAddr> {
    let said = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    said.replace('\n', ":").parse().map_err(|_| failed(format!("{said:?} is no address")))
}

/// An error as long as this one could not yet do its part in a failover.
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

/// An error unless a field has this value; here fields and values are lines in turn.
fn expect(said: &str, field: &str, value: &str) -> Outcome {
    let lines: Vec<&str> = said.lines().collect();
    let pair = lines.chunks(2).find(|pair| pair[0] == field);
    match pair.and_then(|pair| pair.get(1)) {
        Some(is) if *is == value => Ok(()),
        is => Err(failed(format!("{field} is {is:?}, not {value}"))),
    }
}
