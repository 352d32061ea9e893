//! `[overload]`: the limits on what is asked of one node.

use std::num::NonZeroU32;

use adapter_http::{AddressFrom, GateSettings, OverloadSettings, Rate};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, require};

/// Where a caller's address is read from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressSource {
    /// The other end of the connection.
    #[default]
    Peer,
    /// What the proxy directly in front wrote.
    XForwardedFor,
}

impl From<AddressSource> for AddressFrom {
    fn from(source: AddressSource) -> Self {
        match source {
            AddressSource::Peer => Self::Peer,
            AddressSource::XForwardedFor => Self::XForwardedFor,
        }
    }
}

/// The limits on what is asked of one node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct OverloadSection {
    pub max_keys: u64,
    pub address_from: AddressSource,
    pub joining: GateSection,
    pub asking: GateSection,
    pub reading: GateSection,
    pub per_user: RateSection,
    pub per_address: RateSection,
    pub polling: PollingSection,
}

/// How many requests of one class may be at work.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct GateSection {
    pub limit: u32,
    pub max_waiting: u32,
}

/// How often somebody may come.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct RateSection {
    pub per_second: u32,
    pub burst: u32,
}

/// How much more often than told somebody may ask.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct PollingSection {
    pub faster: u32,
}

impl Default for OverloadSection {
    fn default() -> Self {
        Self {
            max_keys: OverloadSettings::default().max_keys,
            address_from: AddressSource::default(),
            joining: GateSection::default(),
            asking: GateSection::default(),
            reading: GateSection::default(),
            per_user: RateSection::default(),
            per_address: RateSection::default(),
            polling: PollingSection::default(),
        }
    }
}

impl Default for GateSection {
    fn default() -> Self {
        let GateSettings { limit, max_waiting } = GateSettings::default();
        Self { limit, max_waiting }
    }
}

impl Default for RateSection {
    fn default() -> Self {
        Self { per_second: 0, burst: 20 }
    }
}

impl OverloadSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "max_keys",
            meaning: "users, addresses and tokens remembered for the limits below, of each at most so many, 100 to 10000000, at about half a kilobyte each; what comes often is remembered rather than what is new, and whoever is forgotten begins anew with a whole burst",
        },
        KeyDoc {
            name: "address_from",
            meaning: "whose address counts: `peer` is the other end of the connection; `x-forwarded-for` is the last entry of that header, which the proxy directly in front wrote, and only for a service that is reached through such a proxy alone",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let keys = (100..=10_000_000).contains(&self.max_keys);
        require(keys, "overload.max_keys", "must be from 100 to 10000000")?;
        self.joining.check("overload.joining")?;
        self.asking.check("overload.asking")?;
        self.reading.check("overload.reading")?;
        self.per_user.check("overload.per_user")?;
        self.per_address.check("overload.per_address")?;
        require(self.polling.faster <= 100, "overload.polling.faster", "must be at most 100")
    }

    /// What the limits are made with.
    #[must_use]
    pub fn settings(&self) -> OverloadSettings {
        OverloadSettings {
            joining: self.joining.settings(),
            asking: self.asking.settings(),
            reading: self.reading.settings(),
            per_user: self.per_user.rate(),
            per_address: self.per_address.rate(),
            address_from: self.address_from.into(),
            faster: NonZeroU32::new(self.polling.faster),
            max_keys: self.max_keys,
        }
    }
}

impl GateSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "limit",
            meaning: "requests of this class at work at once, at most 1000000; 0 is no limit. Joining includes leaving; reading is the concert list and the dates",
        },
        KeyDoc {
            name: "max_waiting",
            meaning: "requests that wait for others to be done, at most 1000000: up to 40ms; who must expect more than half of that is 503 `OVERLOADED` at once, and so are all others",
        },
    ];

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let expected = "must be at most 1000000";
        require(self.limit <= 1_000_000, &format!("{section}.limit"), expected)?;
        require(self.max_waiting <= 1_000_000, &format!("{section}.max_waiting"), expected)
    }

    fn settings(&self) -> GateSettings {
        GateSettings { limit: self.limit, max_waiting: self.max_waiting }
    }
}

impl RateSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "per_second",
            meaning: "how often it may come in the long run, at most 1000000: a user to join, an IPv4 address or an IPv6 /64 network to any public route; then 429 `TOO_MANY_REQUESTS`; 0 is no limit",
        },
        KeyDoc {
            name: "burst",
            meaning: "how often at once after it has been quiet, 1 to 1000000; for addresses as many as share one",
        },
    ];

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let rate = self.per_second <= 1_000_000;
        require(rate, &format!("{section}.per_second"), "must be at most 1000000")?;
        let burst = (1..=1_000_000).contains(&self.burst);
        require(burst, &format!("{section}.burst"), "must be from 1 to 1000000")
    }

    fn rate(&self) -> Option<Rate> {
        Some(Rate { per_second: NonZeroU32::new(self.per_second)?, burst: NonZeroU32::new(self.burst)? })
    }
}

impl PollingSection {
    pub(super) const KEYS: &[KeyDoc] = &[KeyDoc {
        name: "faster",
        meaning: "how many times as often as `pollAfterMs` told somebody may ask where they stand, at most 100; then 429 `TOO_MANY_REQUESTS`; 0 is any number of times; 4 forgives whoever reloads the page now and then",
    }];
}
