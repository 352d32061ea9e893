//! Load shedding and rate limits in front of the handlers. Each class of requests has its own limit
//! on requests in flight (`limiter`). Users and addresses have a rate (`rate`), and queue numbers a
//! limit on polling more often than advised (`polling`). `address` finds the address a request
//! counts for.

pub(crate) mod address;
mod counts;
mod limiter;
mod polling;
mod rate;

pub use address::AddressFrom;
pub use counts::{LimiterCounts, OverloadCounts};
pub use limiter::LimiterSettings;
pub use rate::Rate;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use domain::queue::{QueueNumber, UserId};

use self::address::is_public;
use self::limiter::{ConcurrencyLimiter, Permit};
use self::polling::{PendingCharge, Polling};
use self::rate::{AddressRate, KeyedRate};
use crate::problem::Problem;

/// The limits and their values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OverloadSettings {
    /// Joins and leaves.
    pub joining: LimiterSettings,
    /// Status queries.
    pub asking: LimiterSettings,
    /// The concert list and the dates.
    pub reading: LimiterSettings,
    /// How often one user may join; `None` disables the limit.
    pub per_user: Option<Rate>,
    /// How many requests one address may send; `None` disables the limit.
    pub per_address: Option<Rate>,
    /// How many joins one address may send; `None` disables the limit.
    pub joining_per_address: Option<JoiningRate>,
    /// An IPv6 /48 may send this many times as much as an address, under both of these limits.
    pub site_multiple: NonZeroU32,
    /// Where a caller's address is read from.
    pub address_from: AddressFrom,
    /// How many times as often as advised a client may poll; `None` disables the limit.
    pub max_poll_multiple: Option<NonZeroU32>,
    /// Maximum number of users, of addresses, of networks and of queue numbers to remember.
    /// Frequently used keys are kept in preference to new ones, so made-up keys evict none that is
    /// in use. An evicted key starts over with a full burst.
    pub max_keys: u64,
}

/// How many joins one address may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JoiningRate {
    /// Joins, whether they issue a new number or find an existing one.
    pub rate: Rate,
    /// Whether to exempt addresses that do not occur on the internet: loopback, private, shared,
    /// link-local and unique local ones. Such an address is a test, or a proxy that all users
    /// share.
    pub public_only: bool,
}

impl Default for JoiningRate {
    /// Allows five thousand people at one address to join at the same moment, and a hundred a
    /// second after that. An office, a campus or a mobile carrier has thousands of phones behind
    /// one IPv4 address, and all of them join when a sale opens: a limit sized for one person would
    /// lock out all but the first. A script gets at most a hundred made-up users a second per
    /// address, where a connection without a limit makes many thousands.
    fn default() -> Self {
        // Constants, so that a zero fails to compile.
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(5_000).unwrap();
        Self { rate: Rate { per_second: PER_SECOND, burst: BURST }, public_only: true }
    }
}

/// A customer with a /48 is one caller. A carrier that assigns each phone a /64 has about as many
/// phones in a /48 as behind a few IPv4 addresses. A zero fails to compile.
const SITE_MULTIPLE: NonZeroU32 = NonZeroU32::new(4).unwrap();

impl Default for OverloadSettings {
    fn default() -> Self {
        Self {
            joining: LimiterSettings::default(),
            asking: LimiterSettings::default(),
            reading: LimiterSettings::default(),
            // Off by default: a load test is many users at one address in a tight loop.
            per_user: None,
            per_address: None,
            joining_per_address: Some(JoiningRate::default()),
            site_multiple: SITE_MULTIPLE,
            address_from: AddressFrom::Peer,
            max_poll_multiple: None,
            max_keys: 100_000,
        }
    }
}

/// The limits in effect, shared by all workers.
#[derive(Clone)]
pub struct LoadShedder(Arc<Limits>);

struct Limits {
    joining: ConcurrencyLimiter,
    asking: ConcurrencyLimiter,
    reading: ConcurrencyLimiter,
    users: Option<KeyedRate<UserId>>,
    addresses: Option<AddressRate>,
    joining_addresses: Option<AddressRate>,
    joining_public_only: bool,
    address_from: AddressFrom,
    polling: Option<Polling>,
}

/// An admitted status query: its permit, and the charge its response settles.
#[must_use = "dropping this releases the slot"]
pub(crate) struct PollPermit<'a> {
    _slot: Permit<'a>,
    charge: Option<PendingCharge>,
}

impl PollPermit<'_> {
    /// Settles the query with the poll interval its response carries.
    pub(crate) fn answered(self, reported: Option<Duration>) {
        if let Some(charge) = self.charge {
            charge.settle(reported);
        }
    }
}

impl LoadShedder {
    /// Creates the limits with no request in flight.
    #[must_use]
    pub fn new(settings: &OverloadSettings) -> Self {
        let (max_keys, multiple) = (settings.max_keys, settings.site_multiple);
        let by_address = |rate| AddressRate::new(rate, multiple, max_keys);
        let joining = settings.joining_per_address;
        Self(Arc::new(Limits {
            joining: ConcurrencyLimiter::new(settings.joining),
            asking: ConcurrencyLimiter::new(settings.asking),
            reading: ConcurrencyLimiter::new(settings.reading),
            users: settings.per_user.map(|rate| KeyedRate::new(rate, max_keys)),
            addresses: settings.per_address.map(by_address),
            joining_addresses: joining.map(|joining| by_address(joining.rate)),
            joining_public_only: joining.is_some_and(|joining| joining.public_only),
            address_from: settings.address_from,
            polling: settings
                .max_poll_multiple
                .map(|max_multiple| Polling::new(max_multiple, max_keys)),
        }))
    }

    /// Admitted and refused requests so far.
    #[must_use]
    pub fn counts(&self) -> OverloadCounts {
        let limits = &self.0;
        OverloadCounts {
            joining: limits.joining.counts(),
            asking: limits.asking.counts(),
            reading: limits.reading.counts(),
            per_user_refused: limits.users.as_ref().map_or(0, KeyedRate::refused),
            per_address_refused: limits.addresses.as_ref().map_or(0, AddressRate::refused),
            joining_per_address_refused: limits
                .joining_addresses
                .as_ref()
                .map_or(0, AddressRate::refused),
            polling_refused: limits.polling.as_ref().map_or(0, Polling::refused),
        }
    }

    /// Counts a request to the public listener against its address. Called before the middleware
    /// checks sizes and before routing, so requests that are refused later count too.
    pub(crate) fn admit(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let Some(addresses) = &self.0.addresses else { return Ok(()) };
        // A peer without an address did not come over the network.
        let address = self.0.address_from.address_of(request.peer_addr(), request.headers());
        address.map_or(Ok(()), |address| addresses.check(address))
    }

    /// Counts a join against its address, whether or not it succeeds.
    pub(crate) fn join_from(
        &self,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let Some(addresses) = &self.0.joining_addresses else { return Ok(()) };
        let counts = |address: &IpAddr| !self.0.joining_public_only || is_public(*address);
        let address = self.0.address_from.address_of(peer, headers).filter(counts);
        address.map_or(Ok(()), |address| addresses.check(address))
    }

    /// Counts a join against its user and acquires a permit for it.
    pub(crate) async fn join(&self, user: UserId) -> Result<Permit<'_>, Problem> {
        self.0.users.as_ref().map_or(Ok(()), |users| users.check(user))?;
        self.0.joining.pass().await
    }

    /// Acquires a permit to leave.
    pub(crate) async fn leave(&self) -> Result<Permit<'_>, Problem> {
        self.0.joining.pass().await
    }

    /// Admits a status query with a verified token for this number.
    pub(crate) async fn poll(&self, number: QueueNumber) -> Result<PollPermit<'_>, Problem> {
        let charge = self.0.polling.as_ref().map(|polling| polling.check(number)).transpose()?;
        match self.0.asking.pass().await {
            Ok(permit) => Ok(PollPermit { _slot: permit, charge }),
            Err(problem) => {
                if let Some(charge) = charge {
                    charge.release();
                }
                Err(problem)
            }
        }
    }

    /// Charges a response that reports a position and poll interval without a status query. The
    /// caller holds a verified token for this number.
    pub(crate) fn returned_without_poll(
        &self,
        number: QueueNumber,
        reported: Option<Duration>,
    ) -> Result<(), Problem> {
        let Some(polling) = &self.0.polling else { return Ok(()) };
        polling.check(number).map(|charge| charge.settle(reported))
    }

    /// Acquires a permit to read the concert list or the dates.
    pub(crate) async fn read(&self) -> Result<Permit<'_>, Problem> {
        self.0.reading.pass().await
    }
}

impl fmt::Debug for LoadShedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Overload").field(&self.counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn by_default_nothing_is_counted_per_user_address_or_number() {
        let overload = LoadShedder::new(&OverloadSettings::default());
        let (user, number) = (UserId::new(7).unwrap(), QueueNumber::new(7).unwrap());
        for _ in 0..10_000 {
            drop(overload.join(user).await.unwrap());
            overload.poll(number).await.unwrap().answered(Some(Duration::from_secs(30)));
            drop(overload.read().await.unwrap());
            drop(overload.leave().await.unwrap());
        }
        let counts = overload.counts();
        assert_eq!(
            (counts.joining.passed, counts.asking.passed, counts.reading.passed),
            (20_000, 10_000, 10_000)
        );
        assert!(
            overload.0.users.is_none()
                && overload.0.addresses.is_none()
                && overload.0.polling.is_none()
        );
    }
}
