//! The dates of a concert over HTTP, behind the line.

mod dates;

pub use dates::{ConcertDates, DateSource, RenderedDates};

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use domain::concert::ConcertId;

use crate::age::mark;
use crate::api::Api;
use crate::problem::Problem;
use crate::queue::{NO_STORE, waiting_token};

/// `GET /concert/{concertId}/date`. A nonsensical id is refused before the token is used, since its first use claims
/// the call; one that no concert has is found out behind the line, so that nobody outside it reaches the catalogue.
pub(crate) async fn dates(api: &Api, request: &HttpRequest, concert: &str) -> Result<HttpResponse, Problem> {
    let concert = ConcertId::parse(concert)?;
    api.queue.admit(waiting_token(request)?).await?;
    // Not before: the line's store, when it hangs, must not take the slots of those who only read.
    let _slot = api.overload.read().await?;
    let answer = api.dates.of(concert).await?;
    let body = answer.value.0.clone().ok_or(Problem::ConcertNotFound)?;
    let mut response = HttpResponse::Ok();
    mark(&mut response, &answer);
    response.insert_header((CACHE_CONTROL, NO_STORE));
    Ok(response.content_type("application/json").body(body))
}
