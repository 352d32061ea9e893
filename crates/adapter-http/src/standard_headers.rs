//! Headers of all responses, and of those that must not be cached.

use actix_web::dev::ResponseHead;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For responses that no cache may keep.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const NOTHING_ALLOWED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Sets the headers that every response has. An API needs no scripts, frames or referrers (OWASP
/// REST security); a page sets a policy of its own.
pub(crate) fn set_standard_headers(head: &mut ResponseHead, request_id: HeaderValue, closes: bool) {
    let headers = head.headers_mut();
    headers.insert(X_REQUEST_ID, request_id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ALLOWED);
    }
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    if closes {
        head.set_connection_type(actix_web::http::ConnectionType::Close);
    }
}
