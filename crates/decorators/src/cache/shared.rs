//! The second level as one kind of answer uses it: which node loads, and validation of copies.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use domain::PortError;
use tokio::time::{Instant, sleep};

use super::counts::Counters;
use super::entry::{Entry, Freshness};
use super::settings::{CacheSettings, SharedSettings};
use super::source::{Keep, Stored};
use super::store::{CacheKey, CacheStore, Kept, Lease, LeaseId, LookFor, Put, Stamp, Unusable};

/// A store of copies and its settings.
pub(super) struct Shared {
    pub(super) store: Arc<dyn CacheStore>,
    pub(super) settings: SharedSettings,
}

/// Whether a node that lacks an answer returns a copy or loads.
pub(super) enum Turn<V> {
    /// Return this copy: it is fresh, or another node is refreshing it.
    Give(Arc<Entry<V>>),
    /// Load the answer.
    Load(Turned<V>),
}

/// The context of a load.
pub(super) struct Turned<V> {
    /// The stamp under which to store the answer; `None` if the second level failed.
    pub(super) stamp: Option<Stamp>,
    pub(super) lease: LeaseId,
    pub(super) is_leased: bool,
    /// A stale copy to fall back on if the load fails.
    pub(super) stale: Option<Arc<Entry<V>>>,
}

/// The rules for judging a copy from the second level.
pub(super) struct Judge<'a> {
    pub(super) settings: &'a CacheSettings,
    pub(super) horizon: Option<Instant>,
    pub(super) spread: f64,
    /// A copy that replaces another must be clearly younger.
    pub(super) fresh_for: Duration,
    pub(super) counters: &'a Counters,
}

impl Shared {
    /// Checks for a fresh copy until there is one, this node gets the lease, or another node has
    /// held it for too long.
    pub(super) async fn turn<V: Stored>(&self, key: &CacheKey, judge: &Judge<'_>) -> Turn<V> {
        let lease = Lease { id: LeaseId(fastrand::u128(..)), lasts: self.settings.lease };
        let give_up = Instant::now() + self.settings.lease_wait;
        let mut fresh_for = judge.fresh_for;
        let mut turned = Turned { stamp: None, lease: lease.id, is_leased: false, stale: None };
        loop {
            let began = Instant::now();
            let look = match self.store.look(key, &LookFor { fresh_for, lease: Some(lease) }).await
            {
                Ok(look) => look,
                Err(error) => {
                    judge.lost(&error);
                    turned.stamp = None;
                    return Turn::Load(turned);
                }
            };
            (turned.stamp, turned.is_leased) = (Some(look.at), look.leased);
            let has_copy = matches!(look.kept, Ok(Some(_)));
            let entry = judge.entry::<V>(look.kept, began);
            if let Some(entry) = &entry
                && judge.is_good_enough(entry, look.leased)
            {
                if look.leased {
                    self.give_back(key, lease.id, judge.counters).await;
                }
                judge.counters.shared_hits.add_one();
                return Turn::Give(Arc::clone(entry));
            }
            // The store considers it fresh and this node does not: an absence, an invalidated copy,
            // or a corrupt one.
            let is_overruled = has_copy && !look.leased && fresh_for > Duration::ZERO;
            turned.stale = entry.or(turned.stale);
            if turned.is_leased || Instant::now() >= give_up {
                return Turn::Load(turned);
            }
            if is_overruled {
                fresh_for = Duration::ZERO;
            } else {
                judge.counters.lease_waits.add_one();
                sleep(Duration::from_millis(fastrand::u64(20..=50))).await;
            }
        }
    }

    /// Ends a load: stores the answer for the other nodes, unless it must not be kept.
    pub(super) async fn settle<V: Stored>(
        &self,
        key: &CacheKey,
        entry: &Entry<V>,
        keep: Keep,
        turned: &Turned<V>,
        judge: &Judge<'_>,
    ) {
        let Some(stamp) = turned.stamp else { return };
        if keep == Keep::Not {
            return self.give_back(key, turned.lease, judge.counters).await;
        }
        let settings = judge.settings;
        let keep = if entry.is_absence {
            // The number of absent things is unbounded, so they are kept only briefly.
            settings.absent_ttl.saturating_add(settings.stale_while_refreshing)
        } else {
            settings.ttl.saturating_add(settings.stale_if_error)
        };
        match self.store.put(key, write(entry), stamp, keep, turned.lease).await {
            Ok(Put::Kept) => {}
            Ok(Put::NewerIsThere) => judge.counters.outrun.add_one(),
            Ok(Put::TooLarge) => judge.counters.unusable(Unusable::TooLarge),
            Err(error) => judge.lost(&error),
        }
    }

    /// Releases the lease, so that another node may load.
    pub(super) async fn give_back(&self, key: &CacheKey, lease: LeaseId, counters: &Counters) {
        if let Err(error) = self.store.give_back(key, lease).await {
            counters.shared_errors.add_one();
            tracing::debug!(error = %error, "releasing a lease failed; it expires");
        }
    }
}

impl Judge<'_> {
    /// Converts a copy of the second level, if it is usable. The store measured its age between the
    /// request and the reply, so the copy is at least as new as `as_of` says.
    fn entry<V: Stored>(
        &self,
        kept: Result<Option<Kept>, Unusable>,
        asked_at: Instant,
    ) -> Option<Arc<Entry<V>>> {
        let kept = match kept {
            Ok(kept) => kept?,
            Err(why) => {
                self.counters.unusable(why);
                return None;
            }
        };
        let Some((value, keep)) = read(&kept.payload) else {
            self.counters.unusable(Unusable::Corrupt);
            return None;
        };
        let as_of = asked_at.checked_sub(kept.age)?;
        Some(Arc::new(Entry::new(Arc::new(value), keep, as_of, self.spread, self.settings)))
    }

    /// Whether to return the copy without loading: it is fresh, or it is only slightly stale and
    /// another node is refreshing it.
    fn is_good_enough<V>(&self, entry: &Entry<V>, our_turn: bool) -> bool {
        let now = Instant::now();
        match entry.freshness(now, self.horizon, self.settings) {
            Freshness::Fresh | Freshness::Ageing => !our_turn || entry.age(now) < self.fresh_for,
            Freshness::Stale => !our_turn,
            Freshness::Old | Freshness::Dead => false,
        }
    }

    /// Counts an error of the second level, which the cache can work without.
    fn lost(&self, error: &PortError) {
        self.counters.shared_errors.add_one();
        tracing::debug!(error = %error, "second cache level failed");
    }
}

const FOUND: u8 = b'+';
const ABSENT: u8 = b'-';

/// One byte that marks an answer as found or absent, then the answer.
fn write<V: Stored>(entry: &Entry<V>) -> Bytes {
    let answer = entry.value.to_bytes();
    let mut payload = BytesMut::with_capacity(1 + answer.len());
    payload.put_u8(if entry.is_absence { ABSENT } else { FOUND });
    payload.put(answer);
    payload.freeze()
}

fn read<V: Stored>(payload: &Bytes) -> Option<(V, Keep)> {
    let keep = match *payload.first()? {
        FOUND => Keep::Found,
        ABSENT => Keep::Absent,
        _ => return None,
    };
    Some((V::from_bytes(&payload.slice(1..))?, keep))
}
