//! Rendered pages of the concert list, from the cache or the catalog.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use decorators::cache::{Answer, Cache, Keep, Loaded, Source};
use domain::concert::{ConcertCatalog, PageNumber, PageRequest, PageSize};
use domain::{Dependency, PortError, PortErrorKind};
use tokio::time::Instant;

use super::rendered::RenderedPage;
use crate::problem::Problem;

/// The rendered concert list, shared by all workers.
pub struct ConcertPages {
    cache: Cache<PageSource>,
    /// The last page with concerts, according to the newest response; 0 before the first one.
    end: AtomicU32,
    /// The time of that response.
    end_as_of: Mutex<Option<Instant>>,
}

/// Renders pages of a catalog on demand.
pub struct PageSource {
    catalog: Arc<dyn ConcertCatalog>,
    size: PageSize,
}

impl ConcertPages {
    /// Serves pages from this cache.
    #[must_use]
    pub fn new(cache: Cache<PageSource>) -> Self {
        Self { cache, end: AtomicU32::new(0), end_as_of: Mutex::new(None) }
    }

    /// Returns a page. All pages beyond the end are the same, so billions of page numbers share one
    /// entry in the cache and one load from the catalog.
    pub(crate) async fn page(&self, number: PageNumber) -> Result<Answer<RenderedPage>, Problem> {
        if let Some(answer) = self.cache.at_once(&number) {
            self.learn(&answer);
            return Ok(answer);
        }
        let requested = self.folded(number);
        let answer = self.cache.get(&requested).await?;
        self.learn(&answer);
        // The list may have grown past its previous end.
        let again = self.folded(number);
        if again > requested { Ok(self.cache.get(&again).await?) } else { Ok(answer) }
    }

    /// Updates the end of the list from the newest response.
    fn learn(&self, answer: &Answer<RenderedPage>) {
        let end = answer.value.last_page.get();
        // Usually unchanged, and then no lock is taken.
        if self.end.load(Ordering::Relaxed) == end {
            return;
        }
        let Some(as_of) = Instant::now().checked_sub(answer.age) else { return };
        let mut newest = self.end_as_of.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.is_none_or(|newest| newest <= as_of) {
            *newest = Some(as_of);
            self.end.store(end, Ordering::Relaxed);
        }
    }

    /// Maps every page beyond the end to the first of them.
    fn folded(&self, number: PageNumber) -> PageNumber {
        match self.end.load(Ordering::Relaxed) {
            0 => number,
            end => {
                PageNumber::new(end.saturating_add(1)).map_or(number, |beyond| number.min(beyond))
            }
        }
    }
}

impl PageSource {
    /// The kind of its cache entries.
    pub const KIND: &str = "concerts";

    /// Renders pages of this size.
    #[must_use]
    pub fn new(catalog: Arc<dyn ConcertCatalog>, size: PageSize) -> Self {
        Self { catalog, size }
    }
}

#[async_trait]
impl Source for PageSource {
    type Key = PageNumber;
    type Value = RenderedPage;

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn name(&self, number: &PageNumber) -> String {
        format!("{}-{}-{}", RenderedPage::FORM, self.size.get(), number.get())
    }

    async fn load(&self, number: &PageNumber) -> Result<Loaded<RenderedPage>, PortError> {
        let page = self.catalog.page(PageRequest { number: *number, size: self.size }).await?;
        let rendered = RenderedPage::of(&page).map_err(|error| {
            PortError::new(PortErrorKind::Corrupt, Dependency::CONCERTS).because(error)
        })?;
        let beyond = page.last_page().get().saturating_add(1);
        // Until the end is known, clients can request any page beyond it; only the first of those
        // is kept.
        let keep = match number.get() {
            number if number < beyond => Keep::Found,
            number if number == beyond => Keep::Absent,
            _ => Keep::Not,
        };
        Ok(Loaded { value: rendered, keep })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use decorators::cache::CacheSettings;
    use domain::concert::{Concert, ConcertId, ConcertPage};

    use super::*;

    const SETTINGS: CacheSettings = CacheSettings {
        ttl: Duration::from_secs(60),
        absent_ttl: Duration::from_secs(60),
        jitter: 0.0,
        refresh_ahead: 1.0,
        stale_while_refreshing: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        retry_pause: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        load_limit: Duration::from_secs(1),
        local_bytes: 100_000,
    };

    /// A catalog of `total` concerts that counts its calls and yields before it answers.
    #[derive(Default)]
    struct Counting {
        requested: AtomicU32,
        total: AtomicU32,
    }

    #[async_trait]
    impl ConcertCatalog for Counting {
        async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
            self.requested.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let id = ConcertId::new(request.number.get().into()).unwrap();
            let concert = Concert { id, title: "a".to_owned(), place: "b".to_owned() };
            let total = self.total.load(Ordering::SeqCst).into();
            let concerts = if request.offset() < total { vec![concert] } else { Vec::new() };
            Ok(ConcertPage { request, concerts, total })
        }
    }

    fn pages(total: u32) -> (Arc<Counting>, ConcertPages) {
        let catalog = Arc::new(Counting { total: total.into(), ..Counting::default() });
        let size = PageSize::new(10).unwrap();
        let source = PageSource::new(Arc::clone(&catalog) as Arc<dyn ConcertCatalog>, size);
        (catalog, ConcertPages::new(Cache::new(source, SETTINGS, None)))
    }

    fn number(n: u32) -> PageNumber {
        PageNumber::new(n).unwrap()
    }

    #[tokio::test]
    async fn concurrent_requests_load_a_page_once() {
        let (catalog, pages) = pages(25);
        for (n, loads) in [(2, 1), (2, 1), (3, 2)] {
            let everybody =
                futures_util::future::join_all((0..100).map(|_| pages.page(number(n)))).await;
            assert!(
                everybody
                    .iter()
                    .all(|page| page.as_ref().is_ok_and(|page| page.value.total == "25"))
            );
            assert_eq!(catalog.requested.load(Ordering::SeqCst), loads, "after page {n}");
        }
    }

    #[tokio::test]
    async fn all_pages_beyond_the_end_cost_one_load() {
        let (catalog, pages) = pages(25);
        pages.page(number(1)).await.unwrap();
        for n in 4..1_000 {
            assert_eq!(pages.page(number(n)).await.unwrap().value.body, "[]");
        }
        assert_eq!(pages.page(number(u32::MAX)).await.unwrap().value.body, "[]");
        assert_eq!(
            catalog.requested.load(Ordering::SeqCst),
            2,
            "the first page, and all beyond the end"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_grown_list_is_detected() {
        let (catalog, pages) = pages(25);
        assert_eq!(pages.page(number(9)).await.unwrap().value.body, "[]");
        assert_eq!(pages.page(number(9)).await.unwrap().value.body, "[]");
        catalog.total.store(250, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(61)).await;
        let ninth = pages.page(number(9)).await.unwrap();
        assert!(ninth.value.body.starts_with(br#"[{"concertId":9"#), "{:?}", ninth.value.body);
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_page_does_not_change_the_end_of_the_list() {
        let (catalog, pages) = pages(25);
        pages.page(number(2)).await.unwrap();
        tokio::time::advance(Duration::from_secs(30)).await;
        catalog.total.store(250, Ordering::SeqCst);
        assert_eq!(pages.page(number(1)).await.unwrap().value.total, "250");
        assert_eq!(pages.page(number(2)).await.unwrap().value.total, "25", "still cached");
        let twentieth = pages.page(number(20)).await.unwrap();
        assert!(
            twentieth.value.body.starts_with(br#"[{"concertId":20"#),
            "{:?}",
            twentieth.value.body
        );
    }
}
