//! What keeps the handlers from being driven too hard. It refuses before work is done, and one class of requests
//! apart from another: a limit on requests at work (`gate`), a rate per user and per address (`rate`), and a limit on
//! asking much more often than told (`polling`).

mod address;
mod counts;
mod gate;
mod polling;
mod rate;

pub use address::AddressFrom;
pub use counts::{GateCounts, OverloadCounts};
pub use gate::GateSettings;
pub use rate::Rate;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use domain::queue::UserId;

use self::gate::{Gate, Slot};
use self::polling::{Charge, Polling};
use self::rate::KeyedRate;
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
    /// Where a caller's address is read from.
    pub address_from: AddressFrom,
    /// How many times as often as told somebody may ask; `None` is any number of times.
    pub faster: Option<NonZeroU32>,
    /// Users, addresses and tokens remembered, at most, of each so many. What is asked for often is remembered
    /// rather than what is new, so made-up keys drive nobody out; whoever is forgotten begins anew.
    pub max_keys: u64,
}

impl Default for OverloadSettings {
    fn default() -> Self {
        Self {
            joining: GateSettings::default(),
            asking: GateSettings::default(),
            reading: GateSettings::default(),
            // A load test is many users at one address in a tight loop, so these are for whoever asks for them.
            per_user: None,
            per_address: None,
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
    addresses: Option<KeyedRate<IpAddr>>,
    address_from: AddressFrom,
    polling: Option<Polling>,
}

/// A question let through: its slot, and what its answer is charged to.
#[must_use = "the slot is given back when this is dropped"]
pub(crate) struct Question<'a> {
    _slot: Slot<'a>,
    charge: Option<Charge<'a>>,
}

impl Question<'_> {
    /// It got an answer, which told to wait so long before the next one.
    pub(crate) fn answered(self, told: Option<Duration>) {
        if let (Some(charge), Some(told)) = (self.charge, told) {
            charge.of(told);
        }
    }
}

impl Overload {
    /// Limits with nobody at work.
    #[must_use]
    pub fn new(settings: &OverloadSettings) -> Self {
        let max_keys = settings.max_keys;
        Self(Arc::new(Limits {
            joining: Gate::new(settings.joining),
            asking: Gate::new(settings.asking),
            reading: Gate::new(settings.reading),
            users: settings.per_user.map(|rate| KeyedRate::new(rate, max_keys)),
            addresses: settings.per_address.map(|rate| KeyedRate::new(rate, max_keys)),
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
            per_address_refused: limits.addresses.as_ref().map_or(0, KeyedRate::refused),
            polling_refused: limits.polling.as_ref().map_or(0, Polling::refused),
        }
    }

    /// Any request to a public route, before anything else is looked at.
    pub(crate) fn admit(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let Some(addresses) = &self.0.addresses else { return Ok(()) };
        // A caller without an address is none of the network's.
        let Some(address) = self.0.address_from.group_of(request) else { return Ok(()) };
        addresses.check(address)
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

    /// Somebody asks with this token, which nobody has verified yet.
    pub(crate) async fn ask(&self, token: &str) -> Result<Question<'_>, Problem> {
        let charge = self.0.polling.as_ref().map(|polling| polling.check(token)).transpose()?;
        Ok(Question { _slot: self.0.asking.pass().await?, charge })
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
    async fn by_default_nothing_is_counted_per_user_address_or_token() {
        let overload = Overload::new(&OverloadSettings::default());
        let user = UserId::new(7).unwrap();
        for _ in 0..10_000 {
            drop(overload.join(user).await.unwrap());
            overload.ask("token").await.unwrap().answered(Some(Duration::from_secs(30)));
            drop(overload.read().await.unwrap());
            drop(overload.leave().await.unwrap());
        }
        let counts = overload.counts();
        assert_eq!(
            (counts.joining.passed, counts.asking.passed, counts.reading.passed),
            (20_000, 10_000, 10_000)
        );
        assert!(overload.0.users.is_none() && overload.0.addresses.is_none() && overload.0.polling.is_none());
    }
}
