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
use super::store::{
    CacheKey, CacheStore, CopyVersion, Kept, Lease, LeaseId, LookupRequest, PutOutcome, Unusable,
};

/// A store of copies and its settings.
pub(super) struct SecondLevel {
    pub(super) store: Arc<dyn CacheStore>,
    pub(super) settings: SharedSettings,
}

/// Whether a node that lacks an answer returns a copy or loads.
pub(super) enum LoadDecision<V> {
    /// Return this copy: it is fresh, or another node is refreshing it.
    Give(Arc<Entry<V>>),
    /// Load the answer.
    Load(LoadTicket<V>),
}

/// The context of a load.
pub(super) struct LoadTicket<V> {
    /// The stamp under which to store the answer; `None` if the second level failed.
    pub(super) stamp: Option<CopyVersion>,
    pub(super) lease: LeaseId,
    pub(super) is_leased: bool,
    /// A stale copy to fall back on if the load fails.
    pub(super) stale: Option<Arc<Entry<V>>>,
}

/// The rules for judging a copy from the second level.
pub(super) struct FreshnessPolicy<'a> {
    pub(super) settings: &'a CacheSettings,
    pub(super) invalidated_before: Option<Instant>,
    pub(super) spread: f64,
    /// A copy that replaces another must be clearly younger.
    pub(super) fresh_for: Duration,
    pub(super) counters: &'a Counters,
}

impl SecondLevel {
    /// Checks for a fresh copy until there is one, this node gets the lease, or another node has
    /// held it for too long.
    pub(super) async fn decide<V: Stored>(
        &self,
        key: &CacheKey,
        policy: &FreshnessPolicy<'_>,
    ) -> LoadDecision<V> {
        let lease = Lease { id: LeaseId(fastrand::u128(..)), lasts: self.settings.lease };
        let give_up = Instant::now() + self.settings.lease_wait;
        let mut fresh_for = policy.fresh_for;
        let mut ticket = LoadTicket { stamp: None, lease: lease.id, is_leased: false, stale: None };
        loop {
            let began = Instant::now();
            let lookup = match self
                .store
                .lookup(key, &LookupRequest { fresh_for, lease: Some(lease) })
                .await
            {
                Ok(lookup) => lookup,
                Err(error) => {
                    policy.lost(&error);
                    ticket.stamp = None;
                    return LoadDecision::Load(ticket);
                }
            };
            (ticket.stamp, ticket.is_leased) = (Some(lookup.at), lookup.leased);
            let has_copy = matches!(lookup.kept, Ok(Some(_)));
            let entry = policy.entry::<V>(lookup.kept, began);
            if let Some(entry) = &entry
                && policy.is_good_enough(entry, lookup.leased)
            {
                if lookup.leased {
                    self.release(key, lease.id, policy.counters).await;
                }
                policy.counters.shared_hits.add_one();
                return LoadDecision::Give(Arc::clone(entry));
            }
            // The store considers it fresh and this node does not: an absence, an invalidated copy,
            // or a corrupt one.
            let is_overruled = has_copy && !lookup.leased && fresh_for > Duration::ZERO;
            ticket.stale = entry.or(ticket.stale);
            if ticket.is_leased || Instant::now() >= give_up {
                return LoadDecision::Load(ticket);
            }
            if is_overruled {
                fresh_for = Duration::ZERO;
            } else {
                policy.counters.lease_waits.add_one();
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
        ticket: &LoadTicket<V>,
        policy: &FreshnessPolicy<'_>,
    ) {
        let Some(stamp) = ticket.stamp else { return };
        if keep == Keep::Not {
            return self.release(key, ticket.lease, policy.counters).await;
        }
        let settings = policy.settings;
        let keep = if entry.is_absence {
            // The number of absent things is unbounded, so they are kept only briefly.
            settings.absent_ttl.saturating_add(settings.stale_while_refreshing)
        } else {
            settings.ttl.saturating_add(settings.stale_if_error)
        };
        match self.store.put(key, write(entry), stamp, keep, ticket.lease).await {
            Ok(PutOutcome::Kept) => {}
            Ok(PutOutcome::NewerIsThere) => policy.counters.outrun.add_one(),
            Ok(PutOutcome::TooLarge) => policy.counters.unusable(Unusable::TooLarge),
            Err(error) => policy.lost(&error),
        }
    }

    /// Releases the lease, so that another node may load.
    pub(super) async fn release(&self, key: &CacheKey, lease: LeaseId, counters: &Counters) {
        if let Err(error) = self.store.release(key, lease).await {
            counters.shared_errors.add_one();
            tracing::debug!(error = %error, "releasing a lease failed; it expires");
        }
    }
}

impl FreshnessPolicy<'_> {
    /// Converts a copy of the second level, if it is usable. The store measured its age between the
    /// request and the reply, so the copy is at least as new as `as_of` says.
    fn entry<V: Stored>(
        &self,
        kept: Result<Option<Kept>, Unusable>,
        requested_at: Instant,
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
        let as_of = requested_at.checked_sub(kept.age)?;
        Some(Arc::new(Entry::new(Arc::new(value), keep, as_of, self.spread, self.settings)))
    }

    /// Whether to return the copy without loading: it is fresh, or it is only slightly stale and
    /// another node is refreshing it.
    fn is_good_enough<V>(&self, entry: &Entry<V>, our_turn: bool) -> bool {
        let now = Instant::now();
        match entry.freshness(now, self.invalidated_before, self.settings) {
            Freshness::Fresh | Freshness::RefreshDue => {
                !our_turn || entry.age(now) < self.fresh_for
            }
            Freshness::Stale => !our_turn,
            Freshness::StaleIfError | Freshness::Expired => false,
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
