//! The catalog in memory.

use std::collections::HashMap;
use std::sync::RwLock;

use async_trait::async_trait;
use domain::PortError;
use domain::concert::{Concert, ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::sample_catalog::{self, SampleConcert, SampleDate, SampleSize};

/// Concerts and their dates. The concerts are fixed at the start; the seats of a date can change.
pub struct MemoryCatalog {
    /// By ascending id, so that a page is a slice.
    concerts: Vec<Concert>,
    pub(crate) dates: RwLock<HashMap<ConcertId, Vec<SampleDate>>>,
}

impl MemoryCatalog {
    /// A catalog of these concerts.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = SampleConcert>) -> Self {
        let (mut concerts, mut dates) = (Vec::new(), HashMap::new());
        for SampleConcert { concert, dates: on } in entries {
            dates.insert(concert.id, on);
            concerts.push(concert);
        }
        concerts.sort_by_key(|concert| concert.id);
        Self { concerts, dates: RwLock::new(dates) }
    }

    /// The first `count` sample concerts, with sale windows relative to `today`.
    #[must_use]
    pub fn sample(count: u32, today: domain::Timestamp) -> Self {
        Self::new(sample_catalog::concerts(SampleSize::of_concerts(count), today))
    }

    pub(crate) fn find(&self, id: ConcertId) -> Option<&Concert> {
        let index = self.concerts.binary_search_by_key(&id, |concert| concert.id).ok()?;
        self.concerts.get(index)
    }
}

#[async_trait]
impl ConcertCatalog for MemoryCatalog {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        let total = self.concerts.len();
        let start = usize::try_from(request.offset()).unwrap_or(usize::MAX).min(total);
        let size = usize::try_from(request.size.get()).unwrap_or(usize::MAX);
        let concerts = self.concerts[start..total.min(start.saturating_add(size))].to_vec();
        Ok(ConcertPage { request, concerts, total: total as u64 })
    }
}
