//! Requests report to their connection that they begin and end.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::{Payload, Request};
use actix_web::HttpMessage as _;
use actix_web::dev::Service;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use pin_project_lite::pin_project;

use super::state::{Body, Connection};

pin_project! {
    /// The work on one request. Costs no allocation.
    pub(crate) struct Tracked<F> {
        #[pin]
        inner: F,
        connection: Option<Rc<Connection>>,
    }
}

/// Calls a service, and tells the connection of the request when its work begins and ends.
pub(crate) fn tracked<S: Service<Request>>(
    mut request: Request,
    service: &S,
) -> Tracked<S::Future> {
    let connection = request.conn_data::<Rc<Connection>>().cloned();
    if let Some(connection) = &connection {
        let body = match request.payload() {
            Payload::None => Body::Absent,
            Payload::H1 { .. } | Payload::Stream { .. } => body_of(request.headers()),
        };
        connection.begin(body);
    }
    Tracked { inner: service.call(request), connection }
}

/// The HTTP library has read these headers as well, and takes what has no length for one in chunks,
/// or for one that does not end.
fn body_of(headers: &HeaderMap) -> Body {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.map_or(Body::CHUNKED, Body::Sized)
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.inner.poll(cx);
        if polled.is_ready()
            && let Some(connection) = this.connection.take()
        {
            connection.end(connection.now());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderValue, TRANSFER_ENCODING};

    use super::*;

    #[test]
    fn a_body_is_sized_or_says_itself_where_it_ends() {
        let mut headers = HeaderMap::new();
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert_eq!(body_of(&headers), Body::CHUNKED);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("17"));
        assert_eq!(body_of(&headers), Body::Sized(17));
    }
}
