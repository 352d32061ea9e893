//! `X-Request-Id`: taken over from the caller when it is one, made here otherwise.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::{NoContext, Timestamp, Uuid};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id taken over, in characters.
const MAX_LENGTH: usize = 64;

/// What a request is known by.
pub(super) struct RequestId {
    /// What its caller is told: their own id, or ours.
    pub(super) told: HeaderValue,
    /// Ours, which is its trace's as well.
    pub(super) id: u128,
}

/// The request's ids.
pub(super) fn of(request: &ServiceRequest) -> RequestId {
    // Version 7, so that ids sort by time; more than half of it is random, as a trace's id is to be. Those of a millisecond have
    // no order, which would take a lock that all workers share.
    let id = Uuid::new_v7(Timestamp::now(NoContext));
    let told = match request.headers().get(X_REQUEST_ID) {
        Some(given) if is_acceptable(given.as_bytes()) => given.clone(),
        _ => text(id),
    };
    RequestId { told, id: id.as_u128() }
}

/// Letters, digits, `-`, `_` and `.`: safe in any log line.
fn is_acceptable(id: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= MAX_LENGTH && id.iter().all(allowed)
}

fn text(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_over() {
        assert!(is_acceptable(b"018f-ABC_9.z") && is_acceptable(&[b'a'; 64]));
        let bad: [&[u8]; 5] = [b"", &[b'a'; 65], b"a b", b"a\"b", "가".as_bytes()];
        assert!(bad.into_iter().all(|id| !is_acceptable(id)));
        let id = || text(Uuid::new_v7(Timestamp::now(NoContext)));
        assert_ne!(id(), id());
    }
}
