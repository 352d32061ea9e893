//! What a connection may cost: time, bytes, and a place among the others.
//!
//! actix-http limits the head of the first request alone, decodes whatever a client sends ahead,
//! and never closes a connection whose client reads no answers. So each accepted stream is wrapped
//! below it ([`stream`]): the wrapper hands over one head at a time, knows what a connection waits for
//! ([`state`]), and ends it when that takes too long. Nothing here sets a timer: each worker looks
//! through its connections twice a second ([`worker`]).

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

/// How long a connection may make the server wait, and how many are kept.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// From the first byte of a head, or from the start of a connection, to the end of the head;
    /// and for the rest of a body that was already answered.
    pub(crate) head: Duration,
    /// Between an answer and the next request.
    pub(crate) idle: Duration,
    /// From the first byte of an answer that the client does not take to its last.
    pub(crate) answer: Duration,
    /// Open connections of one worker.
    pub(crate) max_open: usize,
}

/// How many connections an address may have open on a listener, and who may have any number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PerAddress {
    /// For an IPv4 address or an IPv6 /64; a /48 may have eight times as many. `None` is no limit.
    pub max_open: Option<NonZeroUsize>,
    /// The proxies in front, whose connections are those of many people.
    pub exempt: Vec<Network>,
}

/// What is no HTTP gets a line in the log at most so often, in milliseconds.
const REPORT_MS: u64 = 10_000;

/// Accounts of inactive addresses are dropped so often, in milliseconds: looking through them takes
/// the lock that accepting a connection takes.
const FORGET_MS: u64 = 5_000;

/// What the workers of one listener share. Locked only when a connection opens or ends, and when a
/// worker looks through its connections.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) counts: Connections,
    addresses: Arc<Addresses>,
    began: Instant,
    periodic: Arc<Mutex<Periodic>>,
}

/// What the workers of a listener do now and then, whichever of them comes first.
#[derive(Debug, Default)]
struct Periodic {
    /// How many refusals have been logged.
    refused: u64,
    /// When the last line was logged, in milliseconds.
    reported_at: Option<u64>,
    /// When the accounts of inactive addresses were last dropped, in milliseconds.
    forgot_at: u64,
}

impl Shared {
    /// What the workers of a listener of this name share; `limit` is how many connections all of
    /// them may have open.
    pub(crate) fn new(listener: &'static str, limit: usize, per_address: PerAddress) -> Self {
        Self {
            counts: Connections::new(listener, limit),
            addresses: Arc::new(Addresses::new(per_address)),
            began: Instant::now(),
            periodic: Arc::default(),
        }
    }

    /// Periodic work: drops the accounts of inactive addresses, and logs how much was refused. It
    /// logs a sum, because anybody can send any number of malformed heads.
    fn look(&self, now: u64) {
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
                "refused what is no HTTP request or did not come in time, and closed the connections"
            );
            (periodic.refused, periodic.reported_at) = (refused, Some(now));
        }
    }
}
