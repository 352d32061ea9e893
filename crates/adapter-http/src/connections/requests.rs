//! Reports the start and end of each request to its connection.

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
    /// The future of one request. It needs no allocation.
    pub(crate) struct Tracked<F> {
        #[pin]
        inner: F,
        connection: Option<Rc<Connection>>,
    }
}

/// Calls a service, and reports to the request's connection when the work begins and ends.
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

/// The body after a head with these headers. The HTTP library has parsed them too, and treats a
/// body without a length as chunked or as one without an end.
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
    fn a_body_has_a_length_or_is_chunked() {
        let mut headers = HeaderMap::new();
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert_eq!(body_of(&headers), Body::CHUNKED);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("17"));
        assert_eq!(body_of(&headers), Body::Sized(17));
    }
}
