//! Problems as `application/problem+json` (RFC 9457).

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::spec::ProblemSpec;
use crate::language::Language;
use crate::standard_headers::set_standard_headers;
use crate::time::{EtaLimitedBy, ceil_seconds, milliseconds};

/// A refused or failed request (RFC 9457).
// Clients of the service this one replaces read `code` and `message`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody<'a> {
    /// `urn:boxoffice:problem:` and the code.
    r#type: String,
    /// The reason phrase of the status.
    title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// As `message`.
    detail: &'a str,
    /// What went wrong, for programs. It stays the same in later versions.
    code: &'a str,
    /// What went wrong, for people: in Korean, or in English if `Accept-Language` prefers it.
    message: &'a str,
    /// As in the header `X-Request-Id`.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// With `NOT_YOUR_TURN`: the number of the place.
    #[schema(minimum = 1, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// With `NOT_YOUR_TURN`: the number of people in the queue up to and
    /// including this one.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// With `NOT_YOUR_TURN`: expected time until the call, in seconds, rounded up.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_limited_by: Option<EtaLimitedBy>,
    /// With `NOT_YOUR_TURN`: when to query the status next, in milliseconds.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_ms: Option<u64>,
    /// With status 428: the puzzle to solve.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    puzzle: Option<&'a str>,
    /// With status 428: how many zero bits the hash of each counter must begin with.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<u8>,
    /// With status 428: the iterations of the hash function (PBKDF2 with HMAC-SHA-256).
    #[schema(minimum = 1, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<u32>,
    /// With status 428: how many counters to find.
    #[schema(minimum = 1, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u8>,
}

impl<'a> ProblemBody<'a> {
    /// The body of the response to a problem, which `answer` was evaluated from.
    pub(crate) fn of(
        problem: &'a Problem,
        answer: &'a ProblemSpec,
        language: Language,
        request_id: Option<&'a HeaderValue>,
    ) -> Self {
        let message = match language {
            Language::Korean => &answer.korean,
            Language::English => &answer.english,
        };
        let status = if let Problem::NotYourTurn(status) = problem { Some(status) } else { None };
        let puzzle =
            if let Problem::PuzzleRequired(demand) = problem { Some(&demand.puzzle) } else { None };
        Self {
            r#type: format!("urn:boxoffice:problem:{}", answer.code),
            title: answer.status.canonical_reason().unwrap_or_default(),
            status: answer.status.as_u16(),
            detail: message,
            code: answer.code,
            message,
            request_id: request_id.and_then(|id| id.to_str().ok()),
            number: status.map(|o| o.number.get()),
            position: status.map(|o| o.position.get()),
            eta_seconds: status.map(|o| ceil_seconds(o.eta)),
            eta_limited_by: status.and_then(|o| o.wait_limit).map(EtaLimitedBy::from),
            poll_after_ms: status.and_then(|o| o.poll_after).map(milliseconds),
            puzzle: puzzle.map(|p| p.text.as_str()),
            bits: puzzle.map(|p| p.difficulty.bits()),
            iterations: puzzle.map(|p| p.iterations),
            parts: puzzle.map(|p| p.parts),
        }
    }
}

/// Renders the response to a problem.
pub(crate) fn render(
    problem: &Problem,
    answer: &ProblemSpec,
    language: Language,
    request_id: Option<&HeaderValue>,
) -> HttpResponse {
    let body = ProblemBody::of(problem, answer, language, request_id);
    let mut response = HttpResponse::build(answer.status);
    response.content_type("application/problem+json");
    response.insert_header((CONTENT_LANGUAGE, language.tag()));
    response.insert_header((CACHE_CONTROL, "no-store"));
    if let Some(wait) = answer.retry_after {
        // Zero would ask for an immediate retry.
        response.insert_header((RETRY_AFTER, ceil_seconds(wait).max(1)));
    }
    if let Problem::MethodNotAllowed(allowed) = problem {
        response.insert_header((ALLOW, *allowed));
    }
    response.body(serde_json::to_vec(&body).unwrap_or_default())
}

/// A problem with all that its response needs, for use after the request is gone.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct ProblemResponse {
    pub(crate) problem: Problem,
    /// The mapping of `problem`, evaluated once.
    pub(crate) answer: ProblemSpec,
    pub(crate) language: Language,
    pub(crate) request_id: HeaderValue,
    pub(crate) closes: bool,
}

impl ResponseError for ProblemResponse {
    fn status_code(&self) -> StatusCode {
        self.answer.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response =
            render(&self.problem, &self.answer, self.language, Some(&self.request_id));
        set_standard_headers(response.head_mut(), self.request_id.clone(), self.closes);
        response
    }
}
