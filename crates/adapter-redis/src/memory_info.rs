//! The memory a Redis server reports.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The memory of a Redis, as reported at the last check of the dependency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RedisMemory {
    /// Bytes in use.
    pub used: u64,
    /// Maximum bytes; 0 without a limit.
    pub max: u64,
    /// Keys evicted to make room since the server started.
    pub evicted: u64,
}

impl RedisMemory {
    /// Reads the answer to `INFO`.
    pub(crate) fn in_info(info: &str) -> Option<Self> {
        let number = |name| field(info, name).and_then(|value| value.parse().ok());
        Some(Self {
            used: number("used_memory")?,
            max: number("maxmemory")?,
            evicted: number("evicted_keys").unwrap_or_default(),
        })
    }

    /// Of several servers the fullest, with the sum of their evicted keys.
    pub(crate) fn of_all(servers: impl IntoIterator<Item = Self>) -> Option<Self> {
        servers.into_iter().reduce(|one, other| {
            let fullest = if one.is_fuller_than(other) { one } else { other };
            Self { evicted: one.evicted.saturating_add(other.evicted), ..fullest }
        })
    }

    /// A server without a limit is never full.
    fn is_fuller_than(self, other: Self) -> bool {
        let part = |memory: Self| {
            if memory.max == 0 { 0.0 } else { memory.used as f64 / memory.max as f64 }
        };
        (part(self), self.used) > (part(other), other.used)
    }
}

/// The value of a field in an answer to `INFO`.
pub(crate) fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    let value = |line: &'i str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).map(str::trim)
}

/// The last report, and when it was requested.
#[derive(Default)]
pub(crate) struct MemoryInfo(Mutex<Report>);

#[derive(Default)]
struct Report {
    requested: Option<Instant>,
    memory: Option<RedisMemory>,
}

/// A full `INFO` takes the server a tenth of a millisecond.
const EVERY: Duration = Duration::from_secs(5);

impl MemoryInfo {
    /// Whether to request a report now. Returns true to one caller per interval, who must request
    /// it.
    pub(crate) fn is_due(&self) -> bool {
        let (mut reported, now) = (self.reported(), Instant::now());
        let is_due =
            reported.requested.is_none_or(|requested| now.duration_since(requested) >= EVERY);
        if is_due {
            reported.requested = Some(now);
        }
        is_due
    }

    /// Stores a report; `None` if the server sent none.
    pub(crate) fn note(&self, memory: Option<RedisMemory>) {
        self.reported().memory = memory;
    }

    /// Forgets the report of a server that does not answer, so that it is requested as soon as the
    /// server does.
    pub(crate) fn forget(&self) {
        *self.reported() = Report::default();
    }

    pub(crate) fn last(&self) -> Option<RedisMemory> {
        self.reported().memory
    }

    fn reported(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(used: u64, max: u64, evicted: u64) -> RedisMemory {
        RedisMemory { used, max, evicted }
    }

    #[test]
    fn memory_is_read_from_an_info_reply() {
        let info = "# Memory\r\nused_memory:1024\r\nused_memory_rss:4096\r\nmaxmemory:2048\r\n\
                    maxmemory_human:2K\r\n# Stats\r\nevicted_keys:3\r\n";
        assert_eq!(RedisMemory::in_info(info), Some(memory(1_024, 2_048, 3)));
        assert_eq!(
            RedisMemory::in_info("used_memory:1024\r\nmaxmemory:0"),
            Some(memory(1_024, 0, 0))
        );
        assert_eq!(RedisMemory::in_info("used_memory_rss:1024"), None);
    }

    #[test]
    fn several_servers_report_the_fullest_and_the_sum_of_evictions() {
        let servers = [memory(900, 0, 1), memory(50, 100, 2), memory(70, 200, 4)];
        assert_eq!(RedisMemory::of_all(servers), Some(memory(50, 100, 7)));
        assert_eq!(RedisMemory::of_all([memory(1, 0, 0), memory(2, 0, 0)]), Some(memory(2, 0, 0)));
        assert_eq!(RedisMemory::of_all([]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_is_due_once_per_interval_and_after_an_outage() {
        let usage = MemoryInfo::default();
        assert!(usage.is_due());
        usage.note(Some(memory(1, 2, 0)));
        assert!(!usage.is_due());
        tokio::time::advance(EVERY).await;
        assert!(usage.is_due() && !usage.is_due());
        assert_eq!(usage.last(), Some(memory(1, 2, 0)));
        usage.forget();
        assert_eq!(usage.last(), None);
        assert!(usage.is_due());
    }
}
