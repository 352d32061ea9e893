//! `boxoffice cache invalidate`

use std::process::ExitCode;

use adapter_redis::{CacheSigner, RedisAddress, RedisCacheSettings, RedisCacheStore};
use clap::{Args, Subcommand, ValueEnum};
use decorators::cache::CacheStore as _;

use super::{After, fail, fail_usage, print, serve};
use crate::config::{Config, ConfigError, SharedCache, invalid};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Invalidate all cached copies on all nodes; they are still served if the database is down
    Invalidate(After<Arguments>),
}

#[derive(Args)]
pub(super) struct Arguments {
    /// What to invalidate; everything by default
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Concerts,
    Dates,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Concerts => adapter_http::PageSource::KIND,
            Self::Dates => adapter_http::DateSource::KIND,
        }
    }
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    let kinds = if arguments.kinds.is_empty() { Kind::value_variants() } else { &arguments.kinds };
    let invalidation = match Invalidation::of(config, kinds) {
        Ok(Some(invalidation)) => invalidation,
        Ok(None) => {
            let expected =
                "is not \"redis\": each process has its own cache, and nothing is shared";
            return fail_usage(&invalid("cache.store", expected));
        }
        Err(error) => return fail_usage(&error),
    };
    let runtime = match serve::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error),
    };
    match serve::run_on(runtime, invalidation.run()) {
        Ok(kinds) => print(format_args!("invalidated: {}\n", kinds.join(", "))),
        Err(why) => fail(why),
    }
}

/// An invalidation of the shared cache, whose configuration is valid.
pub(super) struct Invalidation {
    kinds: Vec<&'static str>,
    address: RedisAddress,
    settings: RedisCacheSettings,
    signer: CacheSigner,
}

impl Invalidation {
    /// Of everything. `None` if nothing is shared.
    pub(super) fn of_everything(config: &Config) -> Result<Option<Self>, ConfigError> {
        Self::of(config, Kind::value_variants())
    }

    fn of(config: &Config, kinds: &[Kind]) -> Result<Option<Self>, ConfigError> {
        if config.cache.store != SharedCache::Redis {
            return Ok(None);
        }
        let redis = &config.redis.cache;
        Ok(Some(Self {
            kinds: kinds.iter().map(|kind| kind.name()).collect(),
            address: redis.address()?,
            settings: redis.settings(),
            signer: config.cache_signer()?,
        }))
    }

    /// Returns what it invalidated. An error is one line.
    pub(super) async fn run(self) -> Result<Vec<&'static str>, String> {
        let store = RedisCacheStore::open(self.address, self.settings, self.signer);
        for kind in &self.kinds {
            let invalidated = store.invalidate(kind).await;
            invalidated.map_err(|error| match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            })?;
        }
        Ok(self.kinds)
    }
}
