//! The names of what the service depends on.

use std::fmt;

/// The name of a dependency. Errors, logs, metrics, health reports and the runbook all print it.
///
/// The constants are the names of the built-in adapters and layers. An adapter from outside has a
/// name of its own, so this is no enum.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Dependency(&'static str);

impl Dependency {
    /// The Redis that stores the queue.
    pub const REDIS: Self = Self("redis");
    /// The Redis that stores the shared cache.
    pub const CACHE_REDIS: Self = Self("cache redis");
    /// The database of the catalog and of the checkpoints.
    pub const POSTGRES: Self = Self("postgres");

    /// The store of the queue, whatever serves it.
    pub const QUEUE: Self = Self("queue");
    /// The joins of that store, which have limits of their own.
    pub const JOINING: Self = Self("joining");
    /// The store of the queue's checkpoint.
    pub const CHECKPOINT: Self = Self("checkpoint");
    /// The concerts and their dates.
    pub const CATALOG: Self = Self("catalog");
    /// The concerts of the catalog.
    pub const CONCERTS: Self = Self("concerts");
    /// The dates of the catalog.
    pub const DATES: Self = Self("dates");
    /// The shared cache, whatever serves it.
    pub const CACHE: Self = Self("cache");

    /// A dependency of this name: one or two lower-case words. It must come from a small fixed set,
    /// because metrics have it as a label.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
