//! The configuration reference, printed as `docs/configuration.md`.

use std::fmt::Write as _;

use super::{
    BreakerSection, CacheKindSection, CacheSection, CatalogSection, CheckpointSection,
    ConcertsSection, Config, HttpSection, JoiningRateSection, KeyDoc, LimitSection, LimiterSection,
    OpsSection, OtlpSection, OverloadSection, PER_NODE, PolicySection, PollSection, PollingSection,
    PostgresPoolSection, PostgresSection, PuzzleSection, QueueSection, RateSection,
    RedisCachePoolSection, RedisCacheSection, RedisQueueSection, RedisSentinelSection,
    RedisTlsSection, RetrySection, TelemetrySection, TracesSection, secret_files,
};

const SECTIONS: &[(&str, &[KeyDoc])] = &[
    ("http", HttpSection::KEYS),
    ("ops", OpsSection::KEYS),
    ("overload", OverloadSection::KEYS),
    ("overload.joining", LimiterSection::KEYS),
    ("overload.asking", LimiterSection::KEYS),
    ("overload.reading", LimiterSection::KEYS),
    ("overload.per_user", RateSection::KEYS),
    ("overload.per_address", RateSection::KEYS),
    ("overload.joining_per_address", JoiningRateSection::KEYS),
    ("overload.polling", PollingSection::KEYS),
    ("queue", QueueSection::KEYS),
    ("queue.policy", PolicySection::KEYS),
    ("queue.poll", PollSection::KEYS),
    ("queue.checkpoint", CheckpointSection::KEYS),
    ("queue.puzzle", PuzzleSection::KEYS),
    ("catalog", CatalogSection::KEYS),
    ("concerts", ConcertsSection::KEYS),
    ("cache", CacheSection::KEYS),
    ("cache.concerts", CacheKindSection::KEYS),
    ("cache.dates", CacheKindSection::KEYS),
    ("limits.queue", LimitSection::KEYS),
    ("limits.concerts", LimitSection::KEYS),
    ("limits.dates", LimitSection::KEYS),
    ("limits.cache", LimitSection::KEYS),
    ("breaker.joining", BreakerSection::KEYS),
    ("breaker.queue", BreakerSection::KEYS),
    ("breaker.catalog", BreakerSection::KEYS),
    ("breaker.cache", BreakerSection::KEYS),
    ("retry", RetrySection::KEYS),
    ("postgres", PostgresSection::KEYS),
    ("postgres.pool", PostgresPoolSection::KEYS),
    ("redis.queue", RedisQueueSection::KEYS),
    ("redis.queue.tls", RedisTlsSection::KEYS),
    ("redis.queue.sentinel", RedisSentinelSection::KEYS),
    ("redis.cache", RedisCacheSection::KEYS),
    ("redis.cache.tls", RedisTlsSection::KEYS),
    ("redis.cache.sentinel", RedisSentinelSection::KEYS),
    ("redis.cache.pool", RedisCachePoolSection::KEYS),
    ("telemetry", TelemetrySection::KEYS),
    ("telemetry.traces", TracesSection::KEYS),
    ("telemetry.otlp", OtlpSection::KEYS),
];

const INTRODUCTION: &str = "\
# Configuration

Printed by `boxoffice config --reference`; a test keeps this page current.

The sources are read in this order, and later ones win: the defaults below; one TOML file
(`--config FILE`, or `boxoffice.toml` beside the program if it exists); environment variables
`BOXOFFICE__SECTION__KEY`, such as `BOXOFFICE__QUEUE__POLICY__BATCH=50`; flags `--set KEY=VALUE`. An
unknown key or an invalid value stops the program at start with a one-line error, which contains the
expected value and never the given one. `boxoffice config` prints the effective configuration with
secrets masked. Durations have the form `250ms`, `10s`, `1h 30m`. Lists of strings have the form
`[\"one\", \"another\"]`, in flags and variables too.

A secret may also be in a file, as the secrets of Docker and Kubernetes are: the key with `_file` at
its end names the file, such as `BOXOFFICE__POSTGRES__URL_FILE=/run/secrets/postgres-url`. The value
is the content of the file without its final line break, at most 64 KiB, in the form of an
environment variable. The program reads it once, at start. To give a secret in both ways is an
error. The secrets are ";

const NODES: &str = "\
All nodes should have the same configuration: the metric `boxoffice_build_info` has a hash of it,
with secrets masked, and the alert ConfigDiffers compares the hashes. The hash leaves out the keys
that may differ between nodes: ";

/// The reference as Markdown: every key with its default and meaning.
#[must_use]
pub fn markdown() -> String {
    let defaults = default_values();
    let per_node: Vec<String> = PER_NODE.iter().map(|key| format!("`{key}`")).collect();
    let secrets: Vec<String> = secret_files::KEYS.iter().map(|key| format!("`{key}`")).collect();
    let (secrets, per_node) = (secrets.join(", "), per_node.join(", "));
    let mut text = format!("{INTRODUCTION}{secrets}.\n\n{NODES}{per_node}.\n");
    // Writing to a `String` cannot fail.
    for (section, keys) in SECTIONS {
        let _ = write!(text, "\n## `[{section}]`\n\n| key | default | meaning |\n|---|---|---|\n");
        for KeyDoc { name, meaning } in *keys {
            let default = defaults.iter().find(|(key, _)| *key == format!("{section}.{name}"));
            let default = default.map_or("", |(_, value)| value);
            let _ = writeln!(text, "| `{section}.{name}` | `{default}` | {meaning} |");
        }
    }
    text
}

/// Every key of the default configuration with its value as TOML.
fn default_values() -> Vec<(String, String)> {
    let mut values = Vec::new();
    if let Ok(toml::Value::Table(table)) = toml::Value::try_from(Config::default()) {
        flatten("", &table, &mut values);
    }
    values
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value.as_table() {
            Some(inner) => flatten(&key, inner, into),
            None => into.push((key, value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_every_documented_key_exists() {
        let mut documented: Vec<String> = SECTIONS
            .iter()
            .flat_map(|(section, keys)| {
                keys.iter().map(move |key| format!("{section}.{}", key.name))
            })
            .collect();
        let mut there: Vec<String> = default_values().into_iter().map(|(key, _)| key).collect();
        documented.sort_unstable();
        there.sort_unstable();
        assert_eq!(documented, there);
    }

    /// A key is a secret if its value is masked.
    #[test]
    fn every_secret_may_be_in_a_file() {
        let is_secret = |key: &str| {
            let builder = config::Config::builder()
                .add_source(config::Config::try_from(&Config::default()).unwrap())
                .set_override(key, "some text")
                .unwrap();
            let read = crate::config::deserialize::read::<Config>(builder.build().unwrap().cache);
            read.is_ok_and(|config| config.to_toml().unwrap().contains("(secret)"))
        };
        let mut secrets: Vec<String> = default_values().into_iter().map(|(key, _)| key).collect();
        secrets.retain(|key| is_secret(key));
        secrets.sort_unstable();
        assert_eq!(secrets, secret_files::KEYS);
    }

    #[test]
    fn every_key_may_be_repeated_by_an_error() {
        for (key, _) in default_values() {
            assert!(key.split('.').all(crate::config::deserialize::is_like_a_key), "{key}");
        }
    }

    #[test]
    fn the_default_configuration_is_valid() {
        Config::default().check().unwrap();
    }
}
