//! Pages of the list as the bytes that go on the wire, kept in memory for a moment.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use domain::concert::{Concert, ConcertCatalog, ConcertPage, PageNumber, PageRequest, PageSize};
use moka::future::Cache;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;
use crate::routes::{API, CONCERTS};

/// How rendered pages are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageCacheSettings {
    /// Concerts on a page.
    pub page_size: PageSize,
    /// How long a page is answered without asking the catalogue again.
    pub ttl: Duration,
    /// Bytes of all pages kept, at most.
    pub max_bytes: u64,
}

/// The concert list, rendered. Shared by all workers; a hit is one look into a concurrent map.
pub struct ConcertPages {
    catalogue: Arc<dyn ConcertCatalog>,
    size: PageSize,
    rendered: Cache<PageNumber, Arc<RenderedPage>>,
}

/// What is given to whoever waits for it, and not remembered.
enum NotKept {
    Beyond(Arc<RenderedPage>),
    Failed(Problem),
}

/// A page, ready to be sent.
#[derive(Debug)]
pub(crate) struct RenderedPage {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
    pub(crate) link: HeaderValue,
    pub(crate) total: HeaderValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConcertBody<'a> {
    concert_id: u64,
    concert_title: &'a str,
    concert_place: &'a str,
}

impl<'a> From<&'a Concert> for ConcertBody<'a> {
    fn from(concert: &'a Concert) -> Self {
        Self { concert_id: concert.id.get(), concert_title: &concert.title, concert_place: &concert.place }
    }
}

impl ConcertPages {
    /// Pages of a catalogue.
    #[must_use]
    pub fn new(catalogue: Arc<dyn ConcertCatalog>, settings: &PageCacheSettings) -> Self {
        let rendered = Cache::builder()
            .max_capacity(settings.max_bytes)
            .weigher(|_, page: &Arc<RenderedPage>| page.weight())
            .time_to_live(settings.ttl)
            .build();
        Self { catalogue, size: settings.page_size, rendered }
    }

    /// A page; those who ask for one that is being loaded wait for that, and ask nobody themselves.
    pub(crate) async fn page(&self, number: PageNumber) -> Result<Arc<RenderedPage>, Problem> {
        // Nearly always there, and this look is the cheaper one.
        if let Some(page) = self.rendered.get(&number).await {
            return Ok(page);
        }
        match self.rendered.try_get_with(number, self.load(number)).await {
            Ok(page) => Ok(page),
            Err(why) => match &*why {
                NotKept::Beyond(page) => Ok(Arc::clone(page)),
                NotKept::Failed(problem) => Err(problem.clone()),
            },
        }
    }

    async fn load(&self, number: PageNumber) -> Result<Arc<RenderedPage>, NotKept> {
        let page = self.catalogue.page(PageRequest { number, size: self.size }).await;
        let page = page.map_err(|error| NotKept::Failed(error.into()))?;
        let rendered = Arc::new(RenderedPage::of(&page).map_err(NotKept::Failed)?);
        // Pages beyond the end are empty and countless: remembering them would let anybody fill the cache.
        if number > page.last_page() { Err(NotKept::Beyond(rendered)) } else { Ok(rendered) }
    }
}

impl RenderedPage {
    fn of(page: &ConcertPage) -> Result<Self, Problem> {
        let concerts: Vec<_> = page.concerts.iter().map(ConcertBody::from).collect();
        let body = serde_json::to_vec(&concerts).map_err(|_| Problem::Internal)?;
        let header = |text: String| HeaderValue::try_from(text).map_err(|_| Problem::Internal);
        Ok(Self {
            etag: header(etag_of(&body, page.total))?,
            link: header(links_of(page))?,
            total: HeaderValue::from(page.total),
            body: body.into(),
        })
    }

    fn weight(&self) -> u32 {
        let headers = self.etag.len() + self.link.len() + self.total.len();
        u32::try_from(self.body.len() + headers + size_of::<Self>()).unwrap_or(u32::MAX)
    }
}

/// A strong tag, the same on every node: a hash of the body and of what `Link` and `X-Total-Count` are made from.
fn etag_of(body: &[u8], total: u64) -> String {
    let digest = Sha256::new().chain_update(total.to_be_bytes()).chain_update(body).finalize();
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// The neighbours of a page as web links (RFC 8288).
fn links_of(page: &ConcertPage) -> String {
    let neighbours = [
        ("first", Some(PageNumber::FIRST)),
        ("prev", page.previous_page()),
        ("next", page.next_page()),
        ("last", Some(page.last_page())),
    ];
    let link = |(relation, number): (&str, Option<PageNumber>)| {
        number.map(|n| format!("<{API}{CONCERTS}?page={}>; rel=\"{relation}\"", n.get()))
    };
    neighbours.into_iter().filter_map(link).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use domain::PortError;
    use domain::concert::ConcertId;

    use super::*;

    fn page(number: u32, total: u64) -> ConcertPage {
        let request =
            PageRequest { number: PageNumber::new(number).unwrap(), size: PageSize::new(10).unwrap() };
        let concert = Concert {
            id: ConcertId::new(7).unwrap(),
            title: "한강 \"Live\"".to_owned(),
            place: "서울".to_owned(),
        };
        ConcertPage { request, concerts: vec![concert], total }
    }

    #[test]
    fn a_page_is_rendered_with_the_field_names_of_the_old_service() {
        let rendered = RenderedPage::of(&page(2, 25)).unwrap();
        let expected = r#"[{"concertId":7,"concertTitle":"한강 \"Live\"","concertPlace":"서울"}]"#;
        assert_eq!(rendered.body, expected.as_bytes());
        assert_eq!(
            rendered.link,
            "</api/v1/concerts/query?page=1>; rel=\"first\", </api/v1/concerts/query?page=1>; rel=\"prev\", \
             </api/v1/concerts/query?page=3>; rel=\"next\", </api/v1/concerts/query?page=3>; rel=\"last\""
        );
        assert_eq!(rendered.total, "25");
    }

    /// Counts how often it is asked, and is in no hurry to answer.
    struct Counting(AtomicU32);

    #[async_trait::async_trait]
    impl ConcertCatalog for Counting {
        async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(page(request.number.get(), 25))
        }
    }

    #[tokio::test]
    async fn many_who_want_a_page_at_once_load_it_once() {
        let catalogue = Arc::new(Counting(AtomicU32::new(0)));
        let page_size = PageSize::new(10).unwrap();
        let settings = PageCacheSettings { page_size, ttl: Duration::from_secs(60), max_bytes: 100_000 };
        let pages = ConcertPages::new(Arc::clone(&catalogue) as Arc<dyn ConcertCatalog>, &settings);
        for (number, loads) in [(2, 1), (2, 1), (3, 2), (9, 3)] {
            let number = PageNumber::new(number).unwrap();
            let everybody = futures_util::future::join_all((0..100).map(|_| pages.page(number))).await;
            assert!(everybody.iter().all(|page| page.as_ref().is_ok_and(|page| page.total == "25")));
            assert_eq!(catalogue.0.load(Ordering::SeqCst), loads, "after page {number:?}");
        }
    }

    #[test]
    fn the_tag_changes_with_the_body_and_with_the_number_of_concerts() {
        let tag = |body: &str, total| etag_of(body.as_bytes(), total);
        assert_eq!(tag("[1]", 5), tag("[1]", 5));
        assert_ne!(tag("[1]", 5), tag("[2]", 5));
        assert_ne!(tag("[1]", 5), tag("[1]", 6));
    }
}
