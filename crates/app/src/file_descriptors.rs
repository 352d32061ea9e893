//! Divides the process's limit on file descriptors.
//!
//! Each connection needs one. A process without free descriptors accepts no connections, not even a
//! liveness probe, so the public listener gets what everything else leaves.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, ConfigError, HttpSection, OpsSection, QueueStoreKind, SharedCache};
use crate::start_error::{StartError, TooFewDescriptors};

/// The process itself: 23 when idle (standard streams, event loops, listening sockets), plus room
/// for DNS lookups and for reading `/proc`.
const PROCESS: u64 = 40;

/// The event loop of one public worker.
const WORKER: u64 = 4;

/// Exported telemetry: one connection for each of three signals, doubled while they are replaced.
const TELEMETRY: u64 = 6;

/// Connections that a pool opens before it closes the ones they replace.
const REPLACED: u64 = 2;

/// The operations listener is useless with fewer connections.
const MIN_OPS: u64 = 16;

/// The public listener is useless with fewer connections over all workers.
const MIN_PUBLIC: u64 = 32;

/// If descriptors are scarce, the operations listener gets one in this many of those left for
/// connections.
const OPS_SHARE: u64 = 8;

/// The maximum number of open connections of each listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Connections {
    /// The public listener, per worker.
    pub(crate) public: usize,
    /// The operations listener.
    pub(crate) ops: usize,
}

/// The descriptors that a configuration needs.
pub(crate) struct Needs {
    workers: u64,
    /// `http.max_connections`, if set.
    public: Option<u64>,
    /// Everything except the listeners' connections: the count and its purpose.
    parts: Vec<(u64, String)>,
}

impl Needs {
    /// # Errors
    /// [`ConfigError`] if the address of a store is invalid.
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let workers = config.http.settings().workers as u64;
        let mut parts = vec![
            (PROCESS, "the process".to_owned()),
            (workers * WORKER, format!("{workers} workers (http.workers)")),
        ];
        if config.needs_database() {
            let size = u64::from(config.postgres.pool.size);
            parts.push((size + REPLACED, "Postgres (postgres.pool.size)".to_owned()));
        }
        if config.queue.store == QueueStoreKind::Redis {
            // One connection for each worker's joins and one for everything else, doubled while
            // they reconnect.
            parts.push((
                2 * (workers + 1) + REPLACED,
                "the queue's Redis (http.workers)".to_owned(),
            ));
        }
        if config.cache.store == SharedCache::Redis {
            let servers = config.redis.cache.address()?.servers() as u64;
            let size = u64::from(config.redis.cache.pool.size) * servers;
            parts.push((size + REPLACED, "the cache's Redis (redis.cache.pool.size)".to_owned()));
        }
        if !config.telemetry.otlp.endpoint.is_empty() {
            parts.push((TELEMETRY, "telemetry".to_owned()));
        }
        let set = config.http.max_connections;
        Ok(Self { workers, public: (set > 0).then_some(set as u64), parts })
    }

    /// Divides the limit. If `http.max_connections` is not set, the public listener gets the rest,
    /// up to [`HttpSection::MAX_CONNECTIONS`] per worker.
    ///
    /// # Errors
    /// [`TooFewDescriptors`] if the need exceeds the limit.
    pub(crate) fn share(&self, limit: Option<u64>) -> Result<Connections, TooFewDescriptors> {
        let least = self.public.map_or(MIN_PUBLIC.div_ceil(self.workers), |set| set) * self.workers;
        let limit = limit.unwrap_or(u64::MAX);
        let needed = self.fixed() + MIN_OPS + least;
        let Some(spare) = limit.checked_sub(needed) else {
            return Err(self.refusal(limit, needed, least));
        };
        let most_ops = OpsSection::MAX_CONNECTIONS as u64;
        let ops = match self.public {
            Some(_) => MIN_OPS + spare,
            None => (MIN_OPS + least + spare) / OPS_SHARE,
        };
        let ops = ops.clamp(MIN_OPS, most_ops);
        let public = match self.public {
            Some(set) => set,
            None => ((limit - self.fixed() - ops) / self.workers)
                .min(HttpSection::MAX_CONNECTIONS as u64),
        };
        // Neither exceeds the `usize` that bounds it.
        let connections = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Connections { public: connections(public), ops: connections(ops) })
    }

    fn fixed(&self) -> u64 {
        self.parts.iter().map(|(count, _)| count).sum()
    }

    fn refusal(&self, limit: u64, needed: u64, public: u64) -> TooFewDescriptors {
        let of_listeners = [
            (MIN_OPS, "operations".to_owned()),
            (public, "public connections (http.max_connections x http.workers)".to_owned()),
        ];
        let parts = self.parts.iter().chain(&of_listeners);
        let parts: Vec<String> = parts.map(|(count, what)| format!("{count} for {what}")).collect();
        TooFewDescriptors { limit, needed, parts: parts.join(", ") }
    }
}

/// Raises the soft limit of this process to its hard limit. If the system refuses, the soft limit
/// stays and applies.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Raises the limit, and checks that it is sufficient for the configuration.
///
/// # Errors
/// As for [`connections`].
pub(crate) fn prepare(config: &Config) -> Result<(), StartError> {
    raise_limit();
    Needs::of(config)?.share(soft_limit())?;
    Ok(())
}

/// Divides the current limit of this process. Logs a warning if the public listener gets fewer
/// connections than by default.
///
/// # Errors
/// [`StartError::Descriptors`] if the limit is too low for the configuration,
/// [`StartError::Config`] if the address of a store is invalid.
pub(crate) fn connections(config: &Config) -> Result<Connections, StartError> {
    let limit = soft_limit();
    let connections = Needs::of(config)?.share(limit)?;
    if config.http.max_connections == 0 && connections.public < HttpSection::MAX_CONNECTIONS {
        tracing::warn!(
            file_descriptor.limit = limit,
            connections_per_worker = connections.public,
            "few file descriptors: the public listener accepts fewer connections than usual; raise the \
            hard limit, or set http.max_connections"
        );
    }
    Ok(connections)
}

/// The soft limit of this process; `None` if unlimited.
fn soft_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn config(workers: usize, max_connections: usize) -> Config {
        let mut config = Config::default();
        config.http.workers = workers;
        config.http.max_connections = max_connections;
        config
    }

    fn share(config: &Config, limit: Option<u64>) -> Result<(usize, usize), String> {
        let shared = Needs::of(config).unwrap().share(limit).map_err(|error| error.to_string())?;
        Ok((shared.public, shared.ops))
    }

    #[test]
    fn with_many_descriptors_every_worker_gets_all_its_connections() {
        for limit in [None, Some(u64::MAX), Some(1_048_576)] {
            assert_eq!(share(&config(8, 0), limit), Ok((25_000, 256)));
        }
        assert_eq!(share(&config(8, 60_000), Some(1_048_576)), Ok((60_000, 256)));
    }

    #[test]
    fn an_unset_maximum_shrinks_to_fit_and_leaves_the_others_their_share() {
        for workers in [1, 2, 7, 64] {
            for limit in 92..3_000 {
                let Ok((public, ops)) = share(&config(workers, 0), Some(limit)) else { continue };
                let used = PROCESS as usize + workers * (WORKER as usize + public) + ops;
                assert!(used <= limit as usize, "{workers} workers, {limit}: {used}");
                assert!(
                    ops >= 16 && public * workers >= 32,
                    "{workers} workers, {limit}: {public}, {ops}"
                );
                assert!(
                    used + workers > limit as usize,
                    "no descriptor is unused: {workers}, {limit}: {used}"
                );
            }
        }
        assert_eq!(share(&config(2, 0), Some(256)), Ok((91, 26)));
        assert_eq!(share(&config(1, 0), Some(92)), Ok((32, 16)), "the minimum");
    }

    #[test]
    fn a_configured_maximum_is_kept_or_refused() {
        assert_eq!(share(&config(1, 900), Some(1_024)), Ok((900, 80)));
        assert_eq!(share(&config(1, 964), Some(1_024)), Ok((964, 16)));
        let refused = share(&config(1, 965), Some(1_024)).unwrap_err();
        assert!(refused.contains("is 1024, and 1025 are needed"), "{refused}");
        assert!(refused.contains("965 for public connections (http.max_connections"), "{refused}");
    }

    #[test]
    fn a_refusal_is_one_line_that_names_the_limit_the_need_and_what_to_change() {
        let refused = share(&config(64, 0), Some(128)).unwrap_err();
        assert_eq!(
            refused,
            "too few file descriptors: the limit (RLIMIT_NOFILE) is 128, and 376 are needed: 40 for the \
            process, 256 for 64 workers (http.workers), 16 for operations, 64 for public connections \
            (http.max_connections x http.workers); raise the hard limit (`ulimit -Hn`, LimitNOFILE= of \
            systemd, nofile of the container), or lower these settings"
        );
    }

    #[test]
    fn stores_and_telemetry_get_their_share() {
        let mut all = config(4, 0);
        all.catalog.store = crate::config::CatalogStore::Postgres;
        all.queue.store = QueueStoreKind::Redis;
        all.cache.store = SharedCache::Redis;
        all.redis.cache.url = Secret::new("redis-cluster://a:1,b:1,c:1".to_owned());
        all.redis.cache.pool.size = 20;
        all.telemetry.otlp.endpoint = "http://127.0.0.1:4318".to_owned();
        let needs = Needs::of(&all).unwrap();
        let counts: Vec<u64> = needs.parts.iter().map(|(count, _)| *count).collect();
        assert_eq!(counts, [40, 16, 12, 12, 62, 6]);
        let refused = share(&all, Some(100)).unwrap_err();
        for part in
            ["12 for Postgres (postgres.pool.size)", "62 for the cache's Redis", "6 for telemetry"]
        {
            assert!(refused.contains(part), "{refused}");
        }
    }
}
