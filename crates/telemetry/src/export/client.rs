//! The HTTP client for the collector. It blocks, and each exporter has its own thread.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::TelemetryError;
use crate::settings::Otlp;

/// Maximum size of a collector's response in bytes; a longer one counts as a failure.
const MOST_SAID: u64 = 64 << 10;

/// Connections, with a timeout for every request. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    agent: Agent,
    headers: HeaderMap,
}

impl Transport {
    pub(super) fn new(settings: &Otlp) -> Result<Self, TelemetryError> {
        let tls =
            if settings.endpoint.starts_with("https:") { tls()? } else { TlsConfig::default() };
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The configured endpoint is used as is, without a proxy.
            .proxy(None)
            .tls_config(tls);
        Ok(Self { agent: config.build().new_agent(), headers: secrets(&settings.headers)? })
    }

    fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (mut head, body) = request.into_parts();
        head.headers.extend(self.headers.clone());
        let mut answer = self.agent.run(Request::from_parts(head, &body[..]))?;
        let said = answer.body_mut().with_config().limit(MOST_SAID).read_to_vec()?;
        Ok(Response::from_parts(answer.into_parts().0, said.into()))
    }
}

/// TLS that trusts the machine's certificate store, or the one `SSL_CERT_FILE` names.
fn tls() -> Result<TlsConfig, TelemetryError> {
    let trusted = rustls_native_certs::load_native_certs().certs;
    if trusted.is_empty() {
        return Err(TelemetryError::Collector("this machine has no root certificates".to_owned()));
    }
    let trusted = trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(trusted.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}

/// Headers whose values are never printed.
fn secrets(headers: &[(String, String)]) -> Result<HeaderMap, TelemetryError> {
    let mut all = HeaderMap::new();
    for (number, (name, value)) in (1..).zip(headers) {
        let unusable = || TelemetryError::Collector(format!("header number {number} is invalid"));
        let name: HeaderName = name.parse().map_err(|_| unusable())?;
        let mut value: HeaderValue = value.parse().map_err(|_| unusable())?;
        value.set_sensitive(true);
        all.insert(name, value);
    }
    Ok(all)
}

/// The cause of the last failed request. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cause(Arc<Mutex<Option<String>>>);

impl Cause {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// The client of one exporter. It keeps the cause of a failure, which the exporter's error omits.
#[derive(Debug)]
pub(super) struct Client {
    transport: Transport,
    cause: Cause,
}

impl Client {
    pub(super) fn new(transport: &Transport, cause: &Cause) -> Self {
        Self { transport: transport.clone(), cause: cause.clone() }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self
            .transport
            .exchange(request)
            .inspect_err(|error| self.cause.is(error.to_string()))?;
        if !answer.status().is_success() {
            self.cause.is(format!("the collector answered {}", answer.status()));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_header_is_never_shown() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = secrets(&[header("authorization", "Bearer hunter2%41")]).unwrap();
        assert_eq!(headers["authorization"], "Bearer hunter2%41");
        assert!(!format!("{headers:?}").contains("hunter2"));
        let refused =
            secrets(&[header("a", "b"), header("x-key", "hunter2\n")]).unwrap_err().to_string();
        assert_eq!(refused, "telemetry cannot be sent to a collector: header number 2 is invalid");
    }
}
