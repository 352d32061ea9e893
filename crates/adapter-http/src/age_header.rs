//! The headers of a stale response.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{AGE, HeaderValue, WARNING};
use decorators::cache::Answer;

/// Code and text of RFC 7234 section 5.5.1, without a host name. RFC 9111 has dropped the header,
/// but people reading our logs and older clients still know it; `Age` says the same to the others.
const STALE: HeaderValue = HeaderValue::from_static("110 - \"Response is Stale\"");

/// Adds `Age` and `Warning` to a response that is stale because its source is unavailable.
pub(crate) fn mark<V>(response: &mut HttpResponseBuilder, answer: &Answer<V>) {
    if answer.is_stale {
        response.insert_header((AGE, answer.age.as_secs()));
        response.insert_header((WARNING, STALE));
    }
}
