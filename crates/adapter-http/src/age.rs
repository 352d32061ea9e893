//! What an answer that could not be refreshed says of itself.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{AGE, HeaderValue, WARNING};
use decorators::cache::Answer;

/// Code and text are those of RFC 7234 section 5.5.1, without the name of a host. (RFC 9111 has dropped the header; readers
/// of our logs and old clients still know it, and `Age` says the same to the others.)
const STALE: HeaderValue = HeaderValue::from_static("110 - \"Response is Stale\"");

/// Marks an answer that is past its end because what it comes from is away.
pub(crate) fn mark<V>(response: &mut HttpResponseBuilder, answer: &Answer<V>) {
    if answer.is_old {
        response.insert_header((AGE, answer.age.as_secs()));
        response.insert_header((WARNING, STALE));
    }
}
