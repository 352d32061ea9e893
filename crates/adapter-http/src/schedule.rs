//! The dates of a concert over HTTP, behind the line.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::concert::ConcertId;
use domain::schedule::OpenDate;
use serde::Serialize;

use crate::api::Api;
use crate::problem::Problem;
use crate::queue::{json, waiting_token};
use crate::time::rfc3339;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DateBody<'a> {
    schedule_id: u64,
    concert_title: &'a str,
    /// When the concert takes place.
    open_date: String,
    /// When the sale opens.
    start_date: String,
    /// When the sale closes.
    end_date: String,
    seats_left: u32,
}

impl<'a> From<&'a OpenDate> for DateBody<'a> {
    fn from(date: &'a OpenDate) -> Self {
        Self {
            schedule_id: date.id.get(),
            concert_title: &date.concert_title,
            open_date: rfc3339(date.performance),
            start_date: rfc3339(date.sale.opens()),
            end_date: rfc3339(date.sale.closes()),
            seats_left: date.seats_left.get(),
        }
    }
}

/// `GET /concert/{concertId}/date`. A nonsensical id is refused before the token is used, since its first use claims
/// the call; one that no concert has is found out behind the line, so that nobody outside it reaches the catalogue.
pub(crate) async fn dates(request: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.read().await?;
    let concert = ConcertId::parse(request.match_info().get("concertId").unwrap_or_default())?;
    api.queue.admit(waiting_token(&request)?).await?;
    let dates = api.schedules.open_dates(concert).await?;
    json(&dates.iter().map(DateBody::from).collect::<Vec<_>>())
}
