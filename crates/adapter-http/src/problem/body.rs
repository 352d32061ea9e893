//! Problems as `application/problem+json` (RFC 9457).

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::Problem;
use super::spec::ProblemSpec;
use crate::language::Language;
use crate::standard_headers::set_standard_headers;
use crate::time::{ceil_seconds, limit_word, milliseconds};

/// Clients of the service this one replaces read `code` and `message`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_limited_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    puzzle: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u8>,
}

/// Renders the response to a problem.
pub(crate) fn render(
    problem: &Problem,
    answer: &ProblemSpec,
    language: Language,
    request_id: Option<&HeaderValue>,
) -> HttpResponse {
    let message = match language {
        Language::Korean => &answer.korean,
        Language::English => &answer.english,
    };
    let status = if let Problem::NotYourTurn(status) = problem { Some(status) } else { None };
    let puzzle =
        if let Problem::PuzzleRequired(demand) = problem { Some(&demand.puzzle) } else { None };
    let body = ProblemBody {
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
        eta_limited_by: status.and_then(|o| o.wait_limit).map(limit_word),
        poll_after_ms: status.and_then(|o| o.poll_after).map(milliseconds),
        puzzle: puzzle.map(|p| p.text.as_str()),
        bits: puzzle.map(|p| p.difficulty.bits()),
        iterations: puzzle.map(|p| p.iterations),
        parts: puzzle.map(|p| p.parts),
    };
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
