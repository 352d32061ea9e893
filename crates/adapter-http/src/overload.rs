//! What keeps the handlers from being driven too hard. It refuses before work is done, and one
//! class of requests apart from another: a limit on requests at work (`gate`), a rate per user and
//! per address (`rate`), a limit on asking much more often than told (`polling`), and whom an
//! address stands for in all of them (`address`).

pub(crate) mod address;
mod counts;
mod gate;
mod polling;
mod rate;

pub use address::AddressFrom;
pub use counts::{GateCounts, OverloadCounts};
pub use gate::GateSettings;
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
use self::gate::{Gate, Slot};
use self::polling::{Charge, Polling};
use self::rate::{AddressRate, KeyedRate};
use crate::problem::Problem;

/// What is limited, and to how much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OverloadSettings {
    /// Joining and leaving.
    pub joining: GateSettings,
    /// Asking where one stands.
    pub asking: GateSettings,
    /// The concert list and the dates.
    pub reading: GateSettings,
    /// How often one user may join; `None` is any number of times.
    pub per_user: Option<Rate>,
    /// How much may come from one address; `None` is any amount.
    pub per_address: Option<Rate>,
    /// How many may join from one address; `None` is any number.
    pub joining_per_address: Option<JoiningRate>,
    /// How much more than from an address may come from the IPv6 /48 it is in, for both of these.
    pub site_multiple: NonZeroU32,
    /// Where a caller's address is read from.
    pub address_from: AddressFrom,
    /// How many times as often as told somebody may ask; `None` is any number of times.
    pub faster: Option<NonZeroU32>,
    /// Users, addresses, networks and queue numbers remembered, at most, of each so many. What is
    /// asked for often is remembered rather than what is new, so made-up keys drive nobody out;
    /// whoever is forgotten begins anew.
    pub max_keys: u64,
}

/// How many may join from one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JoiningRate {
    /// Joins, whether they give a number or find one.
    pub rate: Rate,
    /// Whether joins from addresses that nobody has on the internet are not counted: loopback,
    /// private, shared, link-local and unique local ones. Such an address is a proxy's, behind
    /// which everybody is, or a test's.
    pub public_only: bool,
}

impl Default for JoiningRate {
    /// For five thousand people at one address who press the button at once, and for a hundred a
    /// second after that. An office, a campus or a mobile carrier has thousands of phones behind
    /// one IPv4 address, and when a sale opens they all join: a limit for one person would shut all
    /// but the first of them out. To a script this leaves a hundred made-up users a second and
    /// address, where a connection without a limit makes many thousands.
    fn default() -> Self {
        // Constants: the compiler refuses a zero.
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(5_000).unwrap();
        Self { rate: Rate { per_second: PER_SECOND, burst: BURST }, public_only: true }
    }
}

/// A customer who gets a /48 is one caller; a carrier that gives its phones a /64 each of one has
/// about as many of them in it as behind a few IPv4 addresses. The compiler refuses a zero.
const SITE_MULTIPLE: NonZeroU32 = NonZeroU32::new(4).unwrap();

impl Default for OverloadSettings {
    fn default() -> Self {
        Self {
            joining: GateSettings::default(),
            asking: GateSettings::default(),
            reading: GateSettings::default(),
            // A load test is many users at one address in a tight loop, so these are for whoever asks for them.
            per_user: None,
            per_address: None,
            joining_per_address: Some(JoiningRate::default()),
            site_multiple: SITE_MULTIPLE,
            address_from: AddressFrom::Peer,
            faster: None,
            max_keys: 100_000,
        }
    }
}

/// The limits at work, shared by all workers.
#[derive(Clone)]
pub struct Overload(Arc<Limits>);

struct Limits {
    joining: Gate,
    asking: Gate,
    reading: Gate,
    users: Option<KeyedRate<UserId>>,
    addresses: Option<AddressRate>,
    joining_addresses: Option<AddressRate>,
    joining_public_only: bool,
    address_from: AddressFrom,
    polling: Option<Polling>,
}

/// A question let through: its slot, and what its answer is charged to.
#[must_use = "the slot is given back when this is dropped"]
pub(crate) struct Question<'a> {
    _slot: Slot<'a>,
    charge: Option<Charge>,
}

impl Question<'_> {
    /// It got an answer, which told to wait so long before the next one.
    pub(crate) fn answered(self, told: Option<Duration>) {
        if let Some(charge) = self.charge {
            charge.settle(told);
        }
    }
}

impl Overload {
    /// Limits with nobody at work.
    #[must_use]
    pub fn new(settings: &OverloadSettings) -> Self {
        let (max_keys, multiple) = (settings.max_keys, settings.site_multiple);
        let by_address = |rate| AddressRate::new(rate, multiple, max_keys);
        let joining = settings.joining_per_address;
        Self(Arc::new(Limits {
            joining: Gate::new(settings.joining),
            asking: Gate::new(settings.asking),
            reading: Gate::new(settings.reading),
            users: settings.per_user.map(|rate| KeyedRate::new(rate, max_keys)),
            addresses: settings.per_address.map(by_address),
            joining_addresses: joining.map(|joining| by_address(joining.rate)),
            joining_public_only: joining.is_some_and(|joining| joining.public_only),
            address_from: settings.address_from,
            polling: settings.faster.map(|faster| Polling::new(faster, max_keys)),
        }))
    }

    /// What has been let through and refused so far.
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

    /// Any request to the public listener, before anything else is looked at: it counts whatever
    /// becomes of it.
    pub(crate) fn admit(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let Some(addresses) = &self.0.addresses else { return Ok(()) };
        // A caller without an address is none of the network's.
        let address = self.0.address_from.address_of(request.peer_addr(), request.headers());
        address.map_or(Ok(()), |address| addresses.check(address))
    }

    /// Somebody at this address is about to join; it counts whatever becomes of it.
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

    /// Somebody joins.
    pub(crate) async fn join(&self, user: UserId) -> Result<Slot<'_>, Problem> {
        self.0.users.as_ref().map_or(Ok(()), |users| users.check(user))?;
        self.0.joining.pass().await
    }

    /// Somebody leaves.
    pub(crate) async fn leave(&self) -> Result<Slot<'_>, Problem> {
        self.0.joining.pass().await
    }

    /// The holder of a verified token for this number asks.
    pub(crate) async fn ask(&self, number: QueueNumber) -> Result<Question<'_>, Problem> {
        let charge = self.0.polling.as_ref().map(|polling| polling.check(number)).transpose()?;
        match self.0.asking.pass().await {
            Ok(slot) => Ok(Question { _slot: slot, charge }),
            Err(problem) => {
                if let Some(charge) = charge {
                    charge.release();
                }
                Err(problem)
            }
        }
    }

    /// The holder of a verified token for this number is told where they stand and to wait so long,
    /// by an answer to something else.
    pub(crate) fn told_unasked(
        &self,
        number: QueueNumber,
        told: Option<Duration>,
    ) -> Result<(), Problem> {
        let Some(polling) = &self.0.polling else { return Ok(()) };
        polling.check(number).map(|charge| charge.settle(told))
    }

    /// Somebody reads the list or the dates.
    pub(crate) async fn read(&self) -> Result<Slot<'_>, Problem> {
        self.0.reading.pass().await
    }
}

impl fmt::Debug for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Overload").field(&self.counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn by_default_nothing_is_counted_per_user_address_or_number() {
        let overload = Overload::new(&OverloadSettings::default());
        let (user, number) = (UserId::new(7).unwrap(), QueueNumber::new(7).unwrap());
        for _ in 0..10_000 {
            drop(overload.join(user).await.unwrap());
            overload.ask(number).await.unwrap().answered(Some(Duration::from_secs(30)));
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
