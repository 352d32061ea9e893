//! How much of a request is read.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use futures_util::StreamExt as _;

use crate::problem::Problem;

/// Bytes of address and headers, without separators.
pub(super) fn header_bytes(request: &ServiceRequest) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>()
}

/// Whether no body follows the head (RFC 9112 section 6.3).
pub(super) fn has_no_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    !headers.contains_key(TRANSFER_ENCODING)
        && headers.get(CONTENT_LENGTH).is_none_or(|n| n.as_bytes() == b"0")
}

/// Reads the body away.
pub(super) async fn drain_body(request: &mut ServiceRequest, limit: usize) -> Result<(), Problem> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::BodyTooLarge(limit));
    }
    let mut payload = request.take_payload();
    let mut length = 0_usize;
    while let Some(chunk) = payload.next().await {
        length = length.saturating_add(chunk.map_err(|_| Problem::BodyUnreadable)?.len());
        if length > limit {
            return Err(Problem::BodyTooLarge(limit));
        }
    }
    Ok(())
}
