//! The queue over HTTP: join, query, leave.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use domain::queue::{PlaceStatus, QueueStatus, Ticket, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::problem::Problem;
use crate::standard_headers::NO_STORE;
use crate::time::{EtaLimitedBy, ceil_seconds, milliseconds, rfc3339};

/// The header that carries the token; header names are case-insensitive.
pub(crate) const WAITING_TOKEN: HeaderName = HeaderName::from_static("waitingtoken");

/// A place in the queue, and the token that proves it.
#[derive(Serialize, ToSchema)]
#[schema(as = Ticket)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketBody<'a> {
    /// The token of the place, for the header `waitingToken` of later requests.
    #[schema(min_length = 1)]
    waiting_token: &'a str,
    /// The number of the place. Numbers are called in ascending order.
    #[schema(minimum = 1)]
    number: u64,
    /// The number of people in the queue up to and including this one; 0 once called.
    position: u64,
    status: PlaceState,
    /// Expected time until the call, in seconds, rounded up.
    eta_seconds: u64,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_limited_by: Option<EtaLimitedBy>,
    /// When to query the status next, in milliseconds; null if no further query is needed.
    #[schema(required = true)]
    poll_after_ms: Option<u64>,
    /// Present, and true, only if this node cannot reach the queue's store, so that the figures are
    /// those of its last view.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
}

/// The status of a place.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaceStatus)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusBody {
    /// The position, under the name that clients of the previous service read.
    num: u64,
    /// The number of the place. Numbers are called in ascending order.
    #[schema(minimum = 1)]
    number: u64,
    /// The number of people in the queue up to and including this one; 0 once called.
    position: u64,
    status: PlaceState,
    /// Expected time until the call, in seconds, rounded up.
    eta_seconds: u64,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_limited_by: Option<EtaLimitedBy>,
    /// When to query the status next, in milliseconds; null if no further query is needed.
    #[schema(required = true)]
    poll_after_ms: Option<u64>,
    /// Present, and true, only if this node cannot reach the queue's store, so that the figures are
    /// those of its last view.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
    /// When the call lapses or the session ends, in UTC; null while the place waits or after it has
    /// ended.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
}

/// The state of a place.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum PlaceState {
    /// Not called yet.
    Waiting,
    /// Called: the holder may read dates, and thereby begin a session, until the call lapses.
    Called,
    /// In a session.
    Active,
    /// The call has lapsed, the session has ended, or the holder has left.
    Expired,
}

impl<'a> From<&'a Ticket> for TicketBody<'a> {
    fn from(ticket: &'a Ticket) -> Self {
        let status = &ticket.status;
        Self {
            waiting_token: ticket.token.as_str(),
            number: status.number.get(),
            position: status.position.get(),
            status: status.place_status.into(),
            eta_seconds: ceil_seconds(status.eta),
            eta_limited_by: status.wait_limit.map(EtaLimitedBy::from),
            poll_after_ms: status.poll_after.map(milliseconds),
            stale: status.is_stale,
        }
    }
}

impl From<&QueueStatus> for StatusBody {
    fn from(status: &QueueStatus) -> Self {
        Self {
            num: status.position.get(),
            number: status.number.get(),
            position: status.position.get(),
            status: status.place_status.into(),
            eta_seconds: ceil_seconds(status.eta),
            eta_limited_by: status.wait_limit.map(EtaLimitedBy::from),
            poll_after_ms: status.poll_after.map(milliseconds),
            stale: status.is_stale,
            expires_at: status.expires_at.map(rfc3339),
        }
    }
}

impl From<PlaceStatus> for PlaceState {
    fn from(place_status: PlaceStatus) -> Self {
        match place_status {
            PlaceStatus::Waiting => Self::Waiting,
            PlaceStatus::Called { .. } => Self::Called,
            PlaceStatus::Active { .. } => Self::Active,
            PlaceStatus::Gone => Self::Expired,
        }
    }
}

/// `POST /user/{userId}/queue/token/issue`, with or without the token of a place that the user
/// holds.
pub(crate) async fn issue(
    api: &Api,
    request: &HttpRequest,
    user: &str,
) -> Result<HttpResponse, Problem> {
    // Comes first, so that joins that are refused later count as well.
    api.overload.join_from(request.peer_addr(), request.headers())?;
    let user = UserId::parse(user)?;
    let _slot = api.overload.join(user).await?;
    // Clients without a token may send an empty header.
    let token = token_of(request)?.filter(|token| !token.is_empty());
    api.puzzles.check(&api.queue, user, token, request).await?;
    let ticket = api.queue.join(user, token).await?;
    if token.is_some() && !ticket.rejoined {
        api.puzzles.note_new_place(user);
    }
    json(&TicketBody::from(&ticket))
}

/// `GET /user/queue/token/query`
pub(crate) async fn query(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let token = waiting_token(request)?;
    let place = api.queue.verify(token)?;
    let question = api.overload.poll(place.number()).await?;
    let status = api.queue.status(place).await;
    question.answered(status.poll_after);
    json(&StatusBody::from(&status))
}

/// `DELETE /user/queue/token`
pub(crate) async fn leave(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let _slot = api.overload.leave().await?;
    api.queue.leave(waiting_token(request)?).await?;
    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, NO_STORE)).finish())
}

/// The token of a request. Bytes that are not ASCII are an invalid token, not a missing one.
pub(crate) fn waiting_token(request: &HttpRequest) -> Result<&str, Problem> {
    token_of(request)?.ok_or(Problem::TokenMissing)
}

/// The token of a request, if it has one. Two are refused because a proxy in front might have read
/// the other one.
fn token_of(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut values = request.headers().get_all(WAITING_TOKEN);
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::TokenRepeated);
    }
    Ok(first.map(text_of))
}

fn text_of(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Initial buffer size. Responses about a place fit; others grow it.
const LARGE_ENOUGH: usize = 512;

pub(crate) fn json(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut bytes = Vec::with_capacity(LARGE_ENOUGH);
    serde_json::to_writer(&mut bytes, body).map_err(|_| Problem::Internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .body(bytes))
}
