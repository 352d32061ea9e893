//! Size limits on the head and body of a request.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use bytes::Bytes;
use futures_util::StreamExt as _;
use pin_project_lite::pin_project;

use crate::problem::Problem;

/// Size of the request target and headers in bytes, without separators.
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

/// Reads the body and discards it.
pub(super) async fn drain_body(request: &mut ServiceRequest, limit: usize) -> Result<(), Problem> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::BodyTooLarge(limit));
    }
    let (_, body) = request.parts_mut();
    let mut length = 0_usize;
    while let Some(chunk) = body.next().await {
        length = length.saturating_add(chunk.map_err(|_| Problem::BodyUnreadable)?.len());
        if length > limit {
            return Err(Problem::BodyTooLarge(limit));
        }
    }
    Ok(())
}

pin_project! {
    /// A response to a request whose body was not read completely, together with the unread body.
    ///
    /// When a chunked body is dropped, the HTTP library keeps reading it for as long as it comes,
    /// even if the response closes the connection. If the body is still held while the response is
    /// sent, the library closes the connection afterwards.
    pub(super) struct BesidesUnread {
        #[pin]
        answer: BoxBody,
        unread: Payload,
    }
}

impl BesidesUnread {
    pub(super) fn new(answer: BoxBody, unread: Payload) -> Self {
        Self { answer, unread }
    }
}

impl MessageBody for BesidesUnread {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().answer.poll_next(cx)
    }
}
