//! HTTP to the collector. It blocks, which is right here: each exporter has a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::TelemetryError;

/// A collector has little to say; the rest is not read.
const MOST_SAID: u64 = 64 << 10;

/// A client with a limit on every request.
#[derive(Debug)]
pub(super) struct Client(Agent);

impl Client {
    pub(super) fn new(timeout: Duration) -> Result<Self, TelemetryError> {
        let trusted = rustls_native_certs::load_native_certs().certs;
        let trusted = trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(trusted.collect())))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            // Whoever names a collector means it.
            .proxy(None)
            .tls_config(tls);
        Ok(Self(config.build().new_agent()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut answer = self.0.run(Request::from_parts(head, &body[..]))?;
        let said = answer.body_mut().with_config().limit(MOST_SAID).read_to_vec()?;
        Ok(Response::from_parts(answer.into_parts().0, said.into()))
    }
}
