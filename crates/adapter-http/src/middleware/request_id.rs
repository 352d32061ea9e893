//! `X-Request-Id`: the caller's id if it is acceptable, otherwise a new one.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderValue;
use uuid::{NoContext, Timestamp, Uuid};

use crate::standard_headers::X_REQUEST_ID;

/// Maximum length of a caller's id, in characters.
const MAX_LENGTH: usize = 64;

/// The ids of a request.
pub(super) struct RequestId {
    /// The id in the response: the caller's own, or `id` as text.
    pub(super) reported: HeaderValue,
    /// Our id, which is also the trace id.
    pub(super) id: u128,
}

/// The request's ids.
pub(super) fn of(request: &ServiceRequest) -> RequestId {
    // Version 7, so that ids sort by time. More than half of the id is random, as a trace id
    // requires. Ids of the same millisecond are unordered: ordering them would take a lock shared
    // by all workers.
    let id = Uuid::new_v7(Timestamp::now(NoContext));
    let reported = match request.headers().get(X_REQUEST_ID) {
        Some(given) if is_acceptable(given.as_bytes()) => given.clone(),
        _ => text(id),
    };
    RequestId { reported, id: id.as_u128() }
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
    fn only_short_plain_ids_are_accepted() {
        assert!(is_acceptable(b"018f-ABC_9.z") && is_acceptable(&[b'a'; 64]));
        let bad: [&[u8]; 5] = [b"", &[b'a'; 65], b"a b", b"a\"b", "가".as_bytes()];
        assert!(bad.into_iter().all(|id| !is_acceptable(id)));
        let id = || text(Uuid::new_v7(Timestamp::now(NoContext)));
        assert_ne!(id(), id());
    }
}
