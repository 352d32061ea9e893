//! Cache stores with seeded faults.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_memory::ManualClock;
use async_trait::async_trait;
use bytes::Bytes;
use contracts::cache::{CacheFixture, CacheHarness, RULES};
use decorators::cache::{
    CacheKey, CacheStore, CopyVersion, Kept, LeaseId, Lookup, LookupRequest, PutOutcome, Unusable,
};
use domain::{Clock as _, PortError, Timestamp};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    NothingIsEmpty,
    EmptyIsNothing,
    HandlesApart,
    KeepsText,
    KeptForEver,
    FirstTimeStays,
    RefusedPutsRenew,
    LatestWins,
    SameReplaces,
    RefusesAndTellsKept,
    /// The current copy is read, and replaced after a pause.
    PutsRace,
    UnusableStays,
    AgeSincePut,
    AgeIsMillis,
    StampsGoBack,
    StampNotBeyondCopy,
    LeaseDespiteFresh,
    NoLeaseOnceKept,
    StaleNotTold,
    LeaseUnasked,
    LeasesRace,
    RenewalRefused,
    RenewalForgotten,
    LeaseForEver,
    GiveBackIgnored,
    PutKeepsLease,
    RefusedPutKeepsLease,
    AnybodyGivesBack,
    AnybodysPutEnds,
    LeaseIdsCut,
    AskingShortens,
    KindIgnored,
    NamesCut,
    KeysJoined,
    LeasesOfAKind,
    UnusableIsCopy,
    UnusableIsNothing,
    CorruptIsVersion,
    UnusableToldOnce,
    UnusableIsFresh,
    NothingTooLarge,
    OneTooShort,
    TooLargeReplaces,
    TooLargeKeepsLease,
    FirstInvalidationCounts,
    InvalidationUntold,
    InvalidationIsNow,
    InvalidatesAll,
    InvalidationDrops,
}

/// Each fault, and the rule that has to detect it.
const FAULTS: &[(&str, Fault)] = &[
    ("rule_1_finds_nothing_before_a_put", Fault::NothingIsEmpty),
    ("rule_1_finds_nothing_before_a_put", Fault::EmptyIsNothing),
    ("rule_1_finds_the_exact_bytes_through_any_handle", Fault::HandlesApart),
    ("rule_1_finds_the_exact_bytes_through_any_handle", Fault::KeepsText),
    ("rule_1_expires_a_copy_after_its_lifetime", Fault::KeptForEver),
    ("rule_1_takes_the_lifetime_of_a_copy_from_its_own_put", Fault::FirstTimeStays),
    ("rule_1_takes_the_lifetime_of_a_copy_from_its_own_put", Fault::RefusedPutsRenew),
    ("rule_2_replaces_a_copy_only_by_a_later_stamp", Fault::LatestWins),
    ("rule_2_replaces_a_copy_only_by_a_later_stamp", Fault::SameReplaces),
    ("rule_2_replaces_a_copy_only_by_a_later_stamp", Fault::RefusesAndTellsKept),
    ("rule_2_keeps_the_latest_stamp_under_concurrency", Fault::PutsRace),
    ("rule_2_replaces_unusable_values_whatever_the_stamp", Fault::UnusableStays),
    ("rule_3_returns_the_time_since_the_stamp", Fault::AgeSincePut),
    ("rule_3_returns_the_time_since_the_stamp", Fault::AgeIsMillis),
    ("rule_3_stamps_never_decrease_and_exceed_the_copy", Fault::StampsGoBack),
    ("rule_3_stamps_never_decrease_and_exceed_the_copy", Fault::StampNotBeyondCopy),
    ("rule_4_takes_a_lease_only_if_no_copy_is_fresh", Fault::LeaseDespiteFresh),
    ("rule_4_takes_a_lease_only_if_no_copy_is_fresh", Fault::NoLeaseOnceKept),
    ("rule_4_takes_a_lease_only_if_no_copy_is_fresh", Fault::StaleNotTold),
    ("rule_4_takes_no_lease_without_a_request", Fault::LeaseUnasked),
    ("rule_4_one_of_many_requests_gets_the_lease", Fault::LeasesRace),
    ("rule_4_a_second_request_renews_the_lease", Fault::RenewalRefused),
    ("rule_4_a_second_request_renews_the_lease", Fault::RenewalForgotten),
    ("rule_4_a_lease_expires", Fault::LeaseForEver),
    ("rule_4_a_lease_ends_when_its_holder_releases_it_or_puts", Fault::GiveBackIgnored),
    ("rule_4_a_lease_ends_when_its_holder_releases_it_or_puts", Fault::PutKeepsLease),
    ("rule_4_a_lease_ends_when_its_holder_releases_it_or_puts", Fault::RefusedPutKeepsLease),
    ("rule_4_no_client_ends_the_lease_of_another", Fault::AnybodyGivesBack),
    ("rule_4_no_client_ends_the_lease_of_another", Fault::AnybodysPutEnds),
    ("rule_4_no_client_ends_the_lease_of_another", Fault::LeaseIdsCut),
    ("rule_4_no_client_ends_the_lease_of_another", Fault::AskingShortens),
    ("rule_5_keeps_copies_apart", Fault::KindIgnored),
    ("rule_5_keeps_copies_apart", Fault::NamesCut),
    ("rule_5_keeps_copies_apart", Fault::KeysJoined),
    ("rule_5_keeps_leases_apart", Fault::KindIgnored),
    ("rule_5_keeps_leases_apart", Fault::LeasesOfAKind),
    ("rule_6_reports_why_a_value_is_unusable", Fault::UnusableIsCopy),
    ("rule_6_reports_why_a_value_is_unusable", Fault::UnusableIsNothing),
    ("rule_6_reports_why_a_value_is_unusable", Fault::CorruptIsVersion),
    ("rule_6_reports_why_a_value_is_unusable", Fault::UnusableToldOnce),
    ("rule_6_leases_the_load_of_an_unusable_value", Fault::UnusableIsFresh),
    ("rule_6_refuses_exactly_the_payloads_that_are_too_long", Fault::NothingTooLarge),
    ("rule_6_refuses_exactly_the_payloads_that_are_too_long", Fault::OneTooShort),
    ("rule_6_refuses_exactly_the_payloads_that_are_too_long", Fault::TooLargeReplaces),
    ("rule_6_refuses_exactly_the_payloads_that_are_too_long", Fault::TooLargeKeepsLease),
    ("rule_7_every_handle_sees_when_a_kind_was_invalidated", Fault::HandlesApart),
    ("rule_7_every_handle_sees_when_a_kind_was_invalidated", Fault::FirstInvalidationCounts),
    ("rule_7_every_handle_sees_when_a_kind_was_invalidated", Fault::InvalidationUntold),
    ("rule_7_every_handle_sees_when_a_kind_was_invalidated", Fault::InvalidationIsNow),
    ("rule_7_keeps_kinds_apart_and_removes_no_copies", Fault::InvalidatesAll),
    ("rule_7_keeps_kinds_apart_and_removes_no_copies", Fault::InvalidationDrops),
];

const LONGEST: usize = 30_000;

#[derive(Clone)]
struct Row {
    content: Result<Bytes, Unusable>,
    stamp: u64,
    put_at: u64,
    ends: u64,
}

#[derive(Default)]
struct Rows {
    copies: HashMap<String, Row>,
    leases: HashMap<String, (u128, u64)>,
    invalidated: HashMap<&'static str, u64>,
    refreshes: u64,
}

struct Broken {
    rows: Arc<Mutex<Rows>>,
    clock: Arc<ManualClock>,
    inside: Arc<AtomicU64>,
    fault: Fault,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_microsecond()).unwrap()
    }

    fn row(&self, key: &CacheKey) -> String {
        let name: String = match self.fault {
            Fault::NamesCut => key.name.chars().take(100).collect(),
            _ => key.name.clone(),
        };
        match self.fault {
            Fault::KindIgnored => name,
            Fault::KeysJoined => format!("{}{name}", key.kind).replace('-', ""),
            _ => format!("{}:{name}", key.kind),
        }
    }

    fn lease_row(&self, key: &CacheKey) -> String {
        if self.is(Fault::LeasesOfAKind) { key.kind.to_owned() } else { self.row(key) }
    }

    fn id(&self, id: LeaseId) -> u128 {
        if self.is(Fault::LeaseIdsCut) { id.0 & u128::from(u64::MAX) } else { id.0 }
    }

    /// The copy, unless it has expired.
    fn copy(&self, rows: &Rows, key: &CacheKey) -> Option<Row> {
        let now = self.now();
        let copy = rows.copies.get(&self.row(key)).cloned();
        copy.filter(|copy| self.is(Fault::KeptForEver) || copy.ends > now)
    }

    /// Pauses until another task arrives here, or long enough that none is coming.
    async fn moment(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10_000 {
            if self.inside.load(Ordering::SeqCst) > 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn free_lease(&self, rows: &Rows, key: &CacheKey, id: LeaseId) -> bool {
        match rows.leases.get(&self.lease_row(key)) {
            Some((by, ends)) if *ends > self.now() || self.is(Fault::LeaseForEver) => {
                *by == self.id(id) && !self.is(Fault::RenewalRefused)
            }
            _ => true,
        }
    }

    fn kept(
        &self,
        rows: &mut Rows,
        copy: Option<Row>,
        want: &LookupRequest,
    ) -> Result<Option<Kept>, Unusable> {
        rows.refreshes += 1;
        let Some(copy) = copy else {
            let empty = Kept { payload: Bytes::new(), age: Duration::ZERO };
            return Ok(self.is(Fault::NothingIsEmpty).then_some(empty));
        };
        let since = if self.is(Fault::AgeSincePut) { copy.put_at } else { copy.stamp };
        let age = self.now().saturating_sub(since);
        let age = if self.is(Fault::AgeIsMillis) {
            Duration::from_millis(age)
        } else {
            Duration::from_micros(age)
        };
        match copy.content {
            Err(_) if self.is(Fault::UnusableIsCopy) => {
                Ok(Some(Kept { payload: Bytes::new(), age }))
            }
            Err(_) if self.is(Fault::UnusableIsNothing) => Ok(None),
            Err(Unusable::Corrupt) if self.is(Fault::CorruptIsVersion) => Err(Unusable::Version),
            Err(why) => Err(why),
            Ok(_) if self.is(Fault::StaleNotTold) && age >= want.fresh_for => Ok(None),
            Ok(payload) if self.is(Fault::EmptyIsNothing) && payload.is_empty() => Ok(None),
            Ok(payload) => Ok(Some(Kept { payload, age })),
        }
    }

    fn lease(&self, rows: &mut Rows, key: &CacheKey, want: &LookupRequest) -> bool {
        let Some(lease) = want.lease else { return self.is(Fault::LeaseUnasked) };
        let row = self.lease_row(key);
        let ends = self.now() + u64::try_from(lease.lasts.as_micros()).unwrap();
        if !self.free_lease(rows, key, lease.id) {
            if self.is(Fault::AskingShortens)
                && let Some((_, held)) = rows.leases.get_mut(&row)
            {
                *held = ends.min(*held);
            }
            return false;
        }
        let held = rows.leases.get(&row).copied();
        match held {
            Some((by, old))
                if self.is(Fault::RenewalForgotten) && by == lease.id.0 && old > self.now() => {}
            _ => drop(rows.leases.insert(row, (self.id(lease.id), ends))),
        }
        true
    }

    fn end_lease(&self, rows: &mut Rows, key: &CacheKey, id: LeaseId, anybody: bool) {
        let row = self.lease_row(key);
        if anybody || rows.leases.get(&row).is_some_and(|(by, _)| *by == self.id(id)) {
            rows.leases.remove(&row);
        }
    }

    fn becomes(&self, there: Option<&Row>, stamp: CopyVersion) -> PutOutcome {
        let refused = match there {
            None => false,
            Some(there) if there.content.is_err() => self.is(Fault::UnusableStays),
            Some(_) if self.is(Fault::LatestWins) => false,
            Some(there) if self.is(Fault::SameReplaces) => there.stamp > stamp.0,
            Some(there) => there.stamp >= stamp.0,
        };
        if refused { PutOutcome::NewerIsThere } else { PutOutcome::Kept }
    }

    fn write(
        &self,
        rows: &mut Rows,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        ends: u64,
    ) {
        let payload = match self.fault {
            Fault::KeepsText => String::from_utf8_lossy(&payload).into_owned().into(),
            _ => payload,
        };
        let first = self.copy(rows, key).filter(|_| self.is(Fault::FirstTimeStays));
        let ends = first.map_or(ends, |first| first.ends);
        let copy = Row { content: Ok(payload), stamp: stamp.0, put_at: self.now(), ends };
        rows.copies.insert(self.row(key), copy);
    }
}

#[async_trait]
impl CacheStore for Broken {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        if self.is(Fault::LeasesRace)
            && let Some(lease) = want.lease
        {
            let was_free = self.free_lease(&self.rows.lock().unwrap(), key, lease.id);
            self.moment().await;
            if was_free {
                self.rows.lock().unwrap().leases.remove(&self.lease_row(key));
            }
        }
        let mut rows = self.rows.lock().unwrap();
        let copy = self.copy(&rows, key);
        let is_spoilt = copy.as_ref().is_some_and(|copy| copy.content.is_err());
        let beyond = copy.as_ref().filter(|_| !is_spoilt && !self.is(Fault::StampNotBeyondCopy));
        let mut at = self.now().max(beyond.map_or(0, |copy| copy.stamp + 1));
        let had_any = copy.is_some();
        let kept = self.kept(&mut rows, copy, want);
        if self.is(Fault::StampsGoBack) {
            at -= rows.refreshes;
        }
        if is_spoilt && self.is(Fault::UnusableToldOnce) {
            rows.copies.remove(&self.row(key));
        }
        let is_fresh = match &kept {
            Ok(Some(_)) if self.is(Fault::NoLeaseOnceKept) => true,
            Ok(Some(kept)) => kept.age < want.fresh_for && !self.is(Fault::LeaseDespiteFresh),
            Ok(None) => false,
            Err(_) => had_any && self.is(Fault::UnusableIsFresh),
        };
        let leased = !is_fresh && self.lease(&mut rows, key, want);
        Ok(Lookup { kept, at: CopyVersion(at), leased })
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        let ends = self.now() + u64::try_from(keep_for.as_micros()).unwrap();
        let longest = LONGEST - usize::from(self.is(Fault::OneTooShort));
        if payload.len() > longest && !self.is(Fault::NothingTooLarge) {
            let mut rows = self.rows.lock().unwrap();
            if self.is(Fault::TooLargeReplaces) {
                rows.copies.remove(&self.row(key));
            }
            if !self.is(Fault::TooLargeKeepsLease) {
                self.end_lease(&mut rows, key, lease, false);
            }
            return Ok(PutOutcome::TooLarge);
        }
        let mut reported = self.becomes(self.copy(&self.rows.lock().unwrap(), key).as_ref(), stamp);
        if self.is(Fault::PutsRace) {
            self.moment().await;
        }
        let mut rows = self.rows.lock().unwrap();
        if !self.is(Fault::PutsRace) {
            reported = self.becomes(self.copy(&rows, key).as_ref(), stamp);
        }
        let is_kept = reported == PutOutcome::Kept;
        if is_kept {
            self.write(&mut rows, key, payload, stamp, ends);
        } else if self.is(Fault::RefusedPutsRenew) {
            rows.copies.get_mut(&self.row(key)).unwrap().ends = ends;
        }
        if !(self.is(Fault::PutKeepsLease) || self.is(Fault::RefusedPutKeepsLease) && !is_kept) {
            self.end_lease(&mut rows, key, lease, self.is(Fault::AnybodysPutEnds));
        }
        Ok(if self.is(Fault::RefusesAndTellsKept) { PutOutcome::Kept } else { reported })
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        let mut rows = self.rows.lock().unwrap();
        if !self.is(Fault::GiveBackIgnored) {
            self.end_lease(&mut rows, key, lease, self.is(Fault::AnybodyGivesBack));
        }
        Ok(())
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        let now = self.now();
        let mut rows = self.rows.lock().unwrap();
        match self.fault {
            Fault::FirstInvalidationCounts => drop(rows.invalidated.entry(kind).or_insert(now)),
            _ => drop(rows.invalidated.insert(kind, now)),
        }
        if self.is(Fault::InvalidationDrops) {
            rows.copies.clear();
        }
        Ok(())
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        let rows = self.rows.lock().unwrap();
        let then = match self.fault {
            Fault::InvalidatesAll => rows.invalidated.values().max().copied(),
            Fault::InvalidationUntold => None,
            Fault::InvalidationIsNow => rows.invalidated.get(kind).map(|_| self.now()),
            _ => rows.invalidated.get(kind).copied(),
        };
        Ok(then.map(|then| Duration::from_micros(self.now() - then)))
    }
}

struct Harness {
    clock: Arc<ManualClock>,
    handles: Vec<Arc<Broken>>,
}

#[async_trait]
impl CacheHarness for Harness {
    fn handles(&self) -> Vec<Arc<dyn CacheStore>> {
        self.handles.iter().map(|handle| Arc::clone(handle) as Arc<dyn CacheStore>).collect()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn plant(&self, key: &CacheKey, what: Unusable) {
        for handle in &self.handles {
            let copy = Row { content: Err(what), stamp: 0, put_at: 0, ends: u64::MAX };
            handle.rows.lock().unwrap().copies.insert(handle.row(key), copy);
        }
    }

    fn longest(&self) -> usize {
        LONGEST
    }
}

struct Mutant(Fault);

#[async_trait]
impl CacheFixture for Mutant {
    async fn open(&self) -> Box<dyn CacheHarness> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_777_896_000).unwrap()));
        let (shared, inside) = (Arc::<Mutex<Rows>>::default(), Arc::<AtomicU64>::default());
        let handles = (0..2).map(|_| {
            let rows =
                if self.0 == Fault::HandlesApart { Arc::default() } else { Arc::clone(&shared) };
            Arc::new(Broken {
                rows,
                clock: Arc::clone(&clock),
                inside: Arc::clone(&inside),
                fault: self.0,
            })
        });
        let handles = handles.collect();
        Box::new(Harness { clock, handles })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cache_rule_detects_its_fault() {
    for (name, rule) in RULES {
        let faults: Vec<_> = FAULTS.iter().filter(|(of, _)| of == name).collect();
        assert!(!faults.is_empty(), "no mutant for {name}");
        for (_, fault) in faults {
            assert!(rule(&Mutant(*fault)).await.is_err(), "{name} did not detect {fault:?}");
        }
        if let Err(violation) = rule(&Mutant(Fault::None)).await {
            panic!("{name} fails on a correct store: {violation}");
        }
    }
}
