//! Concert catalogs and schedule books with seeded faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adapter_memory::MemoryCatalog;
use async_trait::async_trait;
use contracts::concert::{CatalogFixture, RULES as CONCERT_RULES};
use contracts::schedule::{RULES as SCHEDULE_RULES, ScheduleFixture, ScheduleHarness};
use domain::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::sample_catalog::SampleConcert;
use domain::schedule::{OpenDate, ScheduleBook, ScheduleId};
use domain::{PortError, Timestamp};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    PagesOverlap,
    CountsThePageOnly,
    LastPageRepeats,
    SometimesShort,
    UnknownIsEmpty,
    ClosedIncluded,
    SeatsFrozen,
    Unordered,
    TwoAtMost,
}

const CONCERT_FAULTS: &[(&str, Fault)] = &[
    ("lists_every_concert_once_in_ascending_order", Fault::PagesOverlap),
    ("counts_all_concerts_on_every_page", Fault::CountsThePageOnly),
    ("returns_an_empty_page_beyond_the_end", Fault::LastPageRepeats),
    ("returns_the_same_page_to_concurrent_readers", Fault::SometimesShort),
];

const SCHEDULE_FAULTS: &[(&str, Fault)] = &[
    ("distinguishes_an_unknown_concert_from_one_without_dates", Fault::UnknownIsEmpty),
    ("lists_only_dates_on_sale", Fault::ClosedIncluded),
    ("lists_only_dates_with_seats_left", Fault::SeatsFrozen),
    ("lists_dates_by_performance_and_no_other_concerts_dates", Fault::Unordered),
    ("gives_the_showcase_concert_three_dates", Fault::TwoAtMost),
];

struct Broken {
    inner: MemoryCatalog,
    fault: Fault,
    counter: AtomicU64,
}

#[async_trait]
impl ConcertCatalog for Broken {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        let mut page = self.inner.page(request).await?;
        match self.fault {
            Fault::PagesOverlap if request.number.get() > 1 => page.concerts.rotate_left(1),
            Fault::CountsThePageOnly => page.total = page.concerts.len() as u64,
            Fault::LastPageRepeats if page.concerts.is_empty() => {
                let last = PageRequest { number: page.last_page(), ..request };
                page.concerts = self.inner.page(last).await?.concerts;
            }
            Fault::SometimesShort if self.counter.fetch_add(1, Ordering::SeqCst) % 7 == 6 => {
                page.concerts.pop();
            }
            _ => {}
        }
        Ok(page)
    }
}

#[async_trait]
impl ScheduleBook for Broken {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        let requested_at = match self.fault {
            Fault::ClosedIncluded => now - std::time::Duration::from_nanos(1),
            _ => now,
        };
        let mut dates = self.inner.open_dates(concert, requested_at).await?;
        match self.fault {
            Fault::UnknownIsEmpty => dates = Some(dates.unwrap_or_default()),
            Fault::Unordered => {
                dates.iter_mut().for_each(|dates| dates.sort_by_key(|date| date.id));
            }
            Fault::TwoAtMost => dates.iter_mut().for_each(|dates| dates.truncate(2)),
            _ => {}
        }
        Ok(dates)
    }
}

struct Mutant(Fault);

impl Mutant {
    fn broken(&self, concerts: Vec<SampleConcert>) -> Arc<Broken> {
        Arc::new(Broken {
            inner: MemoryCatalog::new(concerts),
            fault: self.0,
            counter: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl CatalogFixture for Mutant {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        self.broken(concerts)
    }
}

struct Harness(Arc<Broken>);

#[async_trait]
impl ScheduleHarness for Harness {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        self.0.clone()
    }

    async fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32) {
        if self.0.fault != Fault::SeatsFrozen {
            assert!(self.0.inner.set_seats_sold(concert, date, sold));
        }
    }
}

#[async_trait]
impl ScheduleFixture for Mutant {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        Box::new(Harness(self.broken(concerts)))
    }
}

fn fault_of(faults: &[(&str, Fault)], rule: &str) -> Fault {
    faults.iter().find(|(of, _)| *of == rule).unwrap_or_else(|| panic!("no mutant for {rule}")).1
}

#[tokio::test]
async fn every_concert_rule_detects_its_fault() {
    for (name, rule) in CONCERT_RULES {
        let fault = fault_of(CONCERT_FAULTS, name);
        assert!(rule(&Mutant(fault)).await.is_err(), "{name} did not detect {fault:?}");
        if let Err(violation) = rule(&Mutant(Fault::None)).await {
            panic!("{name} fails on a correct catalog: {violation}");
        }
    }
}

#[tokio::test]
async fn every_schedule_rule_detects_its_fault() {
    for (name, rule) in SCHEDULE_RULES {
        let fault = fault_of(SCHEDULE_FAULTS, name);
        assert!(rule(&Mutant(fault)).await.is_err(), "{name} did not detect {fault:?}");
        if let Err(violation) = rule(&Mutant(Fault::None)).await {
            panic!("{name} fails on a correct book: {violation}");
        }
    }
}
