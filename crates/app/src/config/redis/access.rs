//! `[redis.*.tls]` and `[redis.*.sentinel]`: how the servers of a Redis are entered, beyond the URL.

use adapter_redis::{RedisAddress, RedisTls, TlsFiles};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, KeyDoc, Secret, invalid, require};

/// The files of encrypted connections.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RedisTlsSection {
    pub ca_file: String,
    pub certificate_file: String,
    pub key_file: String,
}

/// The user at the sentinels.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RedisSentinelSection {
    pub user: String,
    pub password: Secret,
}

impl Default for RedisSentinelSection {
    fn default() -> Self {
        Self { user: String::new(), password: Secret::new(String::new()) }
    }
}

impl RedisTlsSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "ca_file",
            meaning: "file with the certificates in PEM of the authorities that the servers' certificates come from; without it, the machine's own or the file that `SSL_CERT_FILE` names",
        },
        KeyDoc {
            name: "certificate_file",
            meaning: "file with this program's certificate in PEM, for servers that ask for one",
        },
        KeyDoc { name: "key_file", meaning: "file with the key of that certificate in PEM" },
    ];

    fn is_empty(&self) -> bool {
        [&self.ca_file, &self.certificate_file, &self.key_file].iter().all(|file| file.is_empty())
    }

    fn files(&self) -> TlsFiles {
        let file = |name: &String| (!name.is_empty()).then(|| name.into());
        TlsFiles {
            authorities: file(&self.ca_file),
            identity: file(&self.certificate_file).zip(file(&self.key_file)),
        }
    }
}

impl RedisSentinelSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "user",
            meaning: "ACL user at the sentinels, which do not get the user and the password of the URL; empty is their default user",
        },
        KeyDoc { name: "password", meaning: "password of that user" },
    ];

    fn is_empty(&self) -> bool {
        self.user.is_empty() && self.password.expose().is_empty()
    }
}

/// Reads the address of the Redis in this section, without its files.
pub(super) fn parse(
    section: &str,
    url: &Secret,
    tls: &RedisTlsSection,
    sentinel: &RedisSentinelSection,
) -> Result<RedisAddress, ConfigError> {
    let key = |name: &str| format!("{section}.{name}");
    let address = RedisAddress::parse(url.expose());
    let mut address = address.map_err(|error| invalid(&key("url"), error))?;
    if !sentinel.is_empty() {
        let (user, password) = (&sentinel.user, sentinel.password.expose());
        require(
            address.has_sentinels(),
            &key("sentinel"),
            "is given, and the URL names no sentinels (redis-sentinel://)",
        )?;
        require(!password.is_empty(), &key("sentinel.password"), "is needed for that user")?;
        address = address.with_sentinel_credentials(user, password);
    }
    require(
        address.wants_tls() || tls.is_empty(),
        &key("tls"),
        "has files, and the URL does not ask for TLS (rediss://)",
    )?;
    require(
        tls.certificate_file.is_empty() == tls.key_file.is_empty(),
        &key("tls"),
        "needs certificate_file and key_file together",
    )?;
    Ok(address)
}

/// Reads the files, if the address asks for TLS.
pub(super) fn secured(
    section: &str,
    address: RedisAddress,
    tls: &RedisTlsSection,
) -> Result<RedisAddress, ConfigError> {
    if !address.wants_tls() {
        return Ok(address);
    }
    let tls = RedisTls::load(&tls.files());
    Ok(address.with_tls(&tls.map_err(|error| invalid(&format!("{section}.tls"), error))?))
}
