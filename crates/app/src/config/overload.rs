//! `[overload]`: the limits on the load of one node.

use std::num::NonZeroU32;

use adapter_http::{AddressFrom, JoiningRate, LimiterSettings, OverloadSettings, Rate};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, require};

/// The source of a client's address.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressSource {
    /// The other end of the connection.
    #[default]
    Peer,
    /// The entry written by the outermost trusted proxy.
    XForwardedFor,
}

/// The limits on the load of one node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct OverloadSection {
    pub max_keys: u64,
    pub address_from: AddressSource,
    pub trusted_hops: u32,
    pub site_multiple: u32,
    pub joining: LimiterSection,
    pub asking: LimiterSection,
    pub reading: LimiterSection,
    pub per_user: RateSection,
    pub per_address: RateSection,
    pub joining_per_address: JoiningRateSection,
    pub polling: PollingSection,
}

/// The limit on in-flight requests of one class.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct LimiterSection {
    pub limit: u32,
    pub max_waiting: u32,
}

/// The request rate of one user or address.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RateSection {
    pub per_second: u32,
    pub burst: u32,
}

/// The rate of joins from one address.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct JoiningRateSection {
    pub per_second: u32,
    pub burst: u32,
    pub public_only: bool,
}

/// How much faster than `pollAfterMs` a client may poll.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PollingSection {
    pub max_multiple: u32,
}

impl Default for OverloadSection {
    fn default() -> Self {
        let OverloadSettings { max_keys, site_multiple, .. } = OverloadSettings::default();
        Self {
            max_keys,
            address_from: AddressSource::default(),
            trusted_hops: 1,
            site_multiple: site_multiple.get(),
            joining: LimiterSection::default(),
            asking: LimiterSection::default(),
            reading: LimiterSection::default(),
            per_user: RateSection::default(),
            per_address: RateSection::default(),
            joining_per_address: JoiningRateSection::default(),
            polling: PollingSection::default(),
        }
    }
}

impl Default for LimiterSection {
    fn default() -> Self {
        let LimiterSettings { limit, max_waiting } = LimiterSettings::default();
        Self { limit, max_waiting }
    }
}

impl Default for RateSection {
    fn default() -> Self {
        Self { per_second: 0, burst: 20 }
    }
}

impl Default for JoiningRateSection {
    fn default() -> Self {
        let JoiningRate { rate: Rate { per_second, burst }, public_only } = JoiningRate::default();
        Self { per_second: per_second.get(), burst: burst.get(), public_only }
    }
}

impl OverloadSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "max_keys",
            meaning: "maximum number of users, of addresses, of networks and of queue numbers that the limits below track, 100 to 10000000, about half a kilobyte each; frequent ones are kept in preference to new ones, and an evicted one starts again with a full burst",
        },
        KeyDoc {
            name: "address_from",
            meaning: "source of a client's address: `peer` is the other end of the connection; `x-forwarded-for` is the entry of that header which the outermost of `trusted_hops` proxies wrote, safe only if all traffic passes these proxies",
        },
        KeyDoc {
            name: "trusted_hops",
            meaning: "with `x-forwarded-for`: number of your own proxies that a request passes, each of which appends an entry to the header, 1 to 16; the entry at this position from the right counts. If the number is too high, clients can forge their address",
        },
        KeyDoc {
            name: "site_multiple",
            meaning: "limit of an IPv6 /48 network as a multiple of the limit of one address, 1 to 65536; for `per_address` and `joining_per_address`",
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
        self.joining_per_address.check("overload.joining_per_address")?;
        let hops = (1..=16).contains(&self.trusted_hops);
        require(hops, "overload.trusted_hops", "must be from 1 to 16")?;
        let multiple = (1..=65_536).contains(&self.site_multiple);
        require(multiple, "overload.site_multiple", "must be from 1 to 65536")?;
        require(
            self.polling.max_multiple <= 100,
            "overload.polling.max_multiple",
            "must be at most 100",
        )
    }

    /// The settings of the limits.
    #[must_use]
    pub fn settings(&self) -> OverloadSettings {
        OverloadSettings {
            joining: self.joining.settings(),
            asking: self.asking.settings(),
            reading: self.reading.settings(),
            per_user: self.per_user.rate(),
            per_address: self.per_address.rate(),
            joining_per_address: self.joining_per_address.rate(),
            site_multiple: at_least_one(self.site_multiple),
            address_from: match self.address_from {
                AddressSource::Peer => AddressFrom::Peer,
                AddressSource::XForwardedFor => {
                    AddressFrom::XForwardedFor { trusted_hops: at_least_one(self.trusted_hops) }
                }
            },
            max_poll_multiple: NonZeroU32::new(self.polling.max_multiple),
            max_keys: self.max_keys,
        }
    }
}

/// A number that was validated to be at least 1.
fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl LimiterSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "limit",
            meaning: "maximum in-flight requests of this class, up to 1000000; 0 is unlimited. Joining includes leaving; reading is the concert list and the dates",
        },
        KeyDoc {
            name: "max_waiting",
            meaning: "maximum requests that wait up to 40ms for a permit, up to 1000000; further ones, and one that expects to wait longer than half of that time, get 503 `OVERLOADED` at once",
        },
    ];

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let expected = "must be at most 1000000";
        require(self.limit <= 1_000_000, &format!("{section}.limit"), expected)?;
        require(self.max_waiting <= 1_000_000, &format!("{section}.max_waiting"), expected)
    }

    fn settings(&self) -> LimiterSettings {
        LimiterSettings { limit: self.limit, max_waiting: self.max_waiting }
    }
}

impl RateSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "per_second",
            meaning: "sustained requests per second, up to 1000000: the joins of one user, or all requests of one IPv4 address or IPv6 /64 network regardless of their outcome; then 429 `TOO_MANY_REQUESTS`; 0 is unlimited. An IPv4 address that was translated into an IPv6 address (::ffff:0:0/96, 64:ff9b::/96, 2002::/16) counts as itself",
        },
        KeyDoc {
            name: "burst",
            meaning: "requests allowed at once after an idle period, 1 to 1000000; for addresses, at least the number of users who share one",
        },
    ];

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        check_rate(self.per_second, self.burst, section)
    }

    fn rate(&self) -> Option<Rate> {
        rate(self.per_second, self.burst)
    }
}

fn check_rate(per_second: u32, burst: u32, section: &str) -> Result<(), ConfigError> {
    require(per_second <= 1_000_000, &format!("{section}.per_second"), "must be at most 1000000")?;
    let is_burst = (1..=1_000_000).contains(&burst);
    require(is_burst, &format!("{section}.burst"), "must be from 1 to 1000000")
}

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second: NonZeroU32::new(per_second)?, burst: NonZeroU32::new(burst)? })
}

impl JoiningRateSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "per_second",
            meaning: "sustained joins per second from one IPv4 address or IPv6 /64 network, up to 1000000, new or repeated; then 429 `TOO_MANY_REQUESTS`; 0 is unlimited",
        },
        KeyDoc {
            name: "burst",
            meaning: "joins allowed at once after an idle period, 1 to 1000000. Thousands of phones may share one IPv4 address of an office or a mobile carrier and all join when a sale opens: keep it above that number",
        },
        KeyDoc {
            name: "public_only",
            meaning: "whether joins from addresses that are not routed on the internet (loopback, private, link-local, RFC 6598) are exempt: such an address belongs to a proxy, which all clients share, or to a test",
        },
    ];

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        check_rate(self.per_second, self.burst, section)
    }

    fn rate(&self) -> Option<JoiningRate> {
        let rate = rate(self.per_second, self.burst)?;
        Some(JoiningRate { rate, public_only: self.public_only })
    }
}

impl PollingSection {
    pub(super) const KEYS: &[KeyDoc] = &[KeyDoc {
        name: "max_multiple",
        meaning: "how many times faster than `pollAfterMs` the holder of a queue number may poll its place, with all its tokens together, up to 100; then 429 `TOO_MANY_REQUESTS`; 0 is unlimited; 4 tolerates occasional page reloads",
    }];
}
