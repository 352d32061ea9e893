//! Limits on the time, the bytes and the number of connections.
//!
//! actix-http limits only the head of the first request, decodes everything a client sends ahead,
//! and never closes a connection whose client reads no responses. Each accepted stream is therefore
//! wrapped below it ([`stream`]): the wrapper hands over one head at a time, tracks which side the
//! connection waits for ([`state`]), and closes it when that takes too long. There are no timers
//! per connection: each worker sweeps its connections twice a second ([`worker`]).

mod address;
mod chunks;
mod clock;
mod counts;
mod networks;
mod requests;
mod state;
mod stream;
mod worker;

pub use counts::{ConnectionCounts, Connections};
pub use networks::{Network, NotANetwork};

pub(crate) use requests::tracked;
pub(crate) use stream::Guarded;
pub(crate) use worker::Worker;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::address::Addresses;

/// Timeouts of a connection, and the number of connections per worker.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// From the first byte of a head, or from accepting the connection, to the end of the head;
    /// also for the rest of a body whose request was already answered.
    pub(crate) head: Duration,
    /// Between a response and the next request.
    pub(crate) idle: Duration,
    /// From the first write of a response that blocks until everything is written.
    pub(crate) answer: Duration,
    /// Maximum number of open connections of one worker.
    pub(crate) max_open: usize,
}

/// The number of connections an address may have open on a listener, and the addresses exempt from
/// it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PerAddress {
    /// For an IPv4 address or an IPv6 /64; a /48 may have eight times as many. `None` disables the
    /// limit.
    pub max_open: Option<NonZeroUsize>,
    /// The proxies in front, whose connections carry the requests of many users.
    pub exempt: Vec<Network>,
}

/// Minimum time between two log lines about refused input, in milliseconds.
const REPORT_MS: u64 = 10_000;

/// Time between two clean-ups of inactive address accounts, in milliseconds. A clean-up holds the
/// lock that accepting a connection takes.
const FORGET_MS: u64 = 5_000;

/// State shared by the workers of one listener. Its locks are taken only when a connection opens,
/// ends or sends malformed input, and in sweeps.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) counts: Connections,
    addresses: Arc<Addresses>,
    began: Instant,
    periodic: Arc<Mutex<Periodic>>,
}

/// State of the periodic work, which any worker of the listener may do.
#[derive(Debug, Default)]
struct Periodic {
    /// Refusals logged so far.
    refused: u64,
    /// Time of the last log line, in milliseconds.
    reported_at: Option<u64>,
    /// Time of the last clean-up of accounts, in milliseconds.
    forgot_at: u64,
}

impl Shared {
    /// Creates the state of the listener with this name; `limit` is the maximum number of
    /// connections over all workers.
    pub(crate) fn new(listener: &'static str, limit: usize, per_address: PerAddress) -> Self {
        Self {
            counts: Connections::new(listener, limit),
            addresses: Arc::new(Addresses::new(per_address)),
            began: Instant::now(),
            periodic: Arc::default(),
        }
    }

    /// Drops the accounts of inactive addresses and logs the number of refusals. It logs a sum
    /// because a client can send any number of malformed heads.
    fn refresh(&self, now: u64) {
        let mut periodic = self.periodic.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(periodic.forgot_at) >= FORGET_MS {
            periodic.forgot_at = now;
            self.addresses.forget(now);
        }
        if periodic.reported_at.is_some_and(|at| now.saturating_sub(at) < REPORT_MS) {
            return;
        }
        let refused = self.counts.all_refused();
        if refused > periodic.refused {
            tracing::info!(
                listener = self.counts.listener(),
                refused = refused - periodic.refused,
                "refused malformed or late requests and closed their connections"
            );
            (periodic.refused, periodic.reported_at) = (refused, Some(now));
        }
    }
}
