//! A page rendered to a body and headers.

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use decorators::cache::Stored;
use domain::concert::{Concert, ConcertPage, PageNumber};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::route::Route;

/// A bug: a value that cannot be rendered as JSON or as a header.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRendered {
    #[error(transparent)]
    Body(#[from] serde_json::Error),
    #[error(transparent)]
    Header(#[from] InvalidHeaderValue),
}

/// A rendered page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderedPage {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
    pub(crate) link: HeaderValue,
    pub(crate) total: HeaderValue,
    pub(crate) last_page: PageNumber,
}

/// A concert.
#[derive(Serialize, ToSchema)]
#[schema(as = Concert)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConcertBody<'a> {
    /// Its id, for the path of its dates.
    #[schema(minimum = 1)]
    concert_id: u64,
    concert_title: &'a str,
    concert_place: &'a str,
}

impl<'a> From<&'a Concert> for ConcertBody<'a> {
    fn from(concert: &'a Concert) -> Self {
        Self {
            concert_id: concert.id.get(),
            concert_title: &concert.title,
            concert_place: &concert.place,
        }
    }
}

impl RenderedPage {
    /// Increment it when the rendering changes, so that two versions of the program do not share
    /// cache entries.
    pub(super) const FORM: u32 = 1;

    pub(super) fn of(page: &ConcertPage) -> Result<Self, NotRendered> {
        let concerts: Vec<_> = page.concerts.iter().map(ConcertBody::from).collect();
        let body = serde_json::to_vec(&concerts)?;
        let header = |text: String| HeaderValue::try_from(text);
        Ok(Self {
            etag: header(etag_of(&body, page.total))?,
            link: header(links_of(page))?,
            total: HeaderValue::from(page.total),
            last_page: page.last_page(),
            body: body.into(),
        })
    }
}

/// Layout: the last page, then each header with a two-byte length before it, then the body.
impl Stored for RenderedPage {
    fn weight(&self) -> usize {
        self.body.len() + self.etag.len() + self.link.len() + self.total.len()
    }

    fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.weight() + 16);
        bytes.put_u32(self.last_page.get());
        for field in [&self.etag, &self.link, &self.total] {
            // A header has a few hundred bytes. A longer one would not parse and be rejected.
            bytes.put_u16(u16::try_from(field.len()).unwrap_or(u16::MAX));
            bytes.put(field.as_bytes());
        }
        bytes.put(&self.body[..]);
        bytes.freeze()
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        let last_page = PageNumber::new(rest.try_get_u32().ok()?).ok()?;
        let (etag, link, total) = (field(&mut rest)?, field(&mut rest)?, field(&mut rest)?);
        let is_list = rest.starts_with(b"[") && rest.ends_with(b"]");
        is_list.then_some(Self { body: rest, etag, link, total, last_page })
    }
}

fn field(rest: &mut Bytes) -> Option<HeaderValue> {
    let length = usize::from(rest.try_get_u16().ok()?);
    if rest.len() < length {
        return None;
    }
    HeaderValue::from_maybe_shared(rest.split_to(length)).ok()
}

/// A strong tag, the same on every node: a hash of the body and of the values behind `Link` and
/// `X-Total-Count`.
fn etag_of(body: &[u8], total: u64) -> String {
    let digest = Sha256::new().chain_update(total.to_be_bytes()).chain_update(body).finalize();
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// The links of a page to its neighbours (RFC 8288).
fn links_of(page: &ConcertPage) -> String {
    let neighbours = [
        ("first", Some(PageNumber::FIRST)),
        ("prev", page.previous_page()),
        ("next", page.next_page()),
        ("last", Some(page.last_page())),
    ];
    let link = |(relation, number): (&str, Option<PageNumber>)| {
        number.map(|n| {
            format!("<{}?page={}>; rel=\"{relation}\"", Route::Concerts.template(), n.get())
        })
    };
    neighbours.into_iter().filter_map(link).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use domain::concert::{ConcertId, PageRequest, PageSize};

    use super::*;

    fn page(number: u32, total: u64) -> ConcertPage {
        let request = PageRequest {
            number: PageNumber::new(number).unwrap(),
            size: PageSize::new(10).unwrap(),
        };
        let concert = Concert {
            id: ConcertId::new(7).unwrap(),
            title: "한강 \"Live\"".to_owned(),
            place: "서울".to_owned(),
        };
        ConcertPage { request, concerts: vec![concert], total }
    }

    #[test]
    fn a_page_is_rendered_with_the_field_names_of_the_previous_service() {
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

    #[test]
    fn a_page_round_trips_and_truncated_bytes_are_rejected() {
        let page = RenderedPage::of(&page(2, 25)).unwrap();
        let bytes = page.to_bytes();
        assert_eq!(RenderedPage::from_bytes(&bytes), Some(page));
        for length in 0..bytes.len() {
            assert_eq!(
                RenderedPage::from_bytes(&bytes.slice(..length)),
                None,
                "the first {length} bytes"
            );
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
