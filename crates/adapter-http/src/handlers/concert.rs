//! The concert list over HTTP.

use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK};
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use domain::concert::PageNumber;
use serde::Deserialize;

use crate::age_header::mark;
use crate::api::Api;
use crate::concert::names;
use crate::problem::Problem;

pub(crate) const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Fresh for one second; usable while revalidating, and longer if the service is down (RFC 5861).
const LIST_CACHING: HeaderValue =
    HeaderValue::from_static("public, max-age=1, stale-while-revalidate=30, stale-if-error=600");

/// The page number as text; other parameters are ignored.
#[derive(Deserialize)]
struct PageQuery {
    page: Option<String>,
}

/// `GET /concerts/query?page=1`
pub(crate) async fn list(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.read().await?;
    let answer = api.concerts.page(page_number(request.query_string())?).await?;
    let page = &answer.value;
    let known = names(request.headers().get_all(IF_NONE_MATCH), &page.etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    mark(&mut response, &answer);
    response.insert_header((ETAG, page.etag.clone()));
    response.insert_header((CACHE_CONTROL, LIST_CACHING));
    response.insert_header((LINK, page.link.clone()));
    response.insert_header((X_TOTAL_COUNT, page.total.clone()));
    if known {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(page.body.clone()))
}

fn page_number(query: &str) -> Result<PageNumber, Problem> {
    if query.is_empty() {
        return Ok(PageNumber::FIRST);
    }
    let query = Query::<PageQuery>::from_query(query).map_err(|_| Problem::BadPage)?;
    match &query.page {
        None => Ok(PageNumber::FIRST),
        Some(text) => Ok(PageNumber::parse(text)?),
    }
}
