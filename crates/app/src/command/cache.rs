//! `boxoffice cache invalidate`

use std::process::ExitCode;

use adapter_redis::RedisCacheStore;
use clap::{Args, Subcommand, ValueEnum};
use decorators::cache::CacheStore as _;

use super::{After, fail, fail_usage, print, serve};
use crate::config::{Config, SharedCache, invalid};

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
    if config.cache.store != SharedCache::Redis {
        let expected = "is not \"redis\": each process has its own cache, and nothing is shared";
        return fail_usage(&invalid("cache.store", expected));
    }
    let kinds = if arguments.kinds.is_empty() { Kind::value_variants() } else { &arguments.kinds };
    let kinds: Vec<&'static str> = kinds.iter().map(|kind| kind.name()).collect();
    let redis = &config.redis.cache;
    let address = match redis.address() {
        Ok(address) => address,
        Err(error) => return fail_usage(&error),
    };
    let signer = match config.cache_signer() {
        Ok(signer) => signer,
        Err(error) => return fail_usage(&error),
    };
    let runtime = match serve::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error),
    };
    let work = async {
        let store = RedisCacheStore::open(address, redis.settings(), signer);
        for kind in &kinds {
            store.invalidate(kind).await?;
        }
        Ok::<_, domain::PortError>(())
    };
    match serve::run_on(runtime, work) {
        Ok(()) => print(format_args!("invalidated: {}\n", kinds.join(", "))),
        Err(error) => match std::error::Error::source(&error) {
            Some(cause) => fail(format_args!("{error}: {cause}")),
            None => fail(error),
        },
    }
}
