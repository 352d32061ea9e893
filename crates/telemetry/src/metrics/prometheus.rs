//! The pull endpoint: Prometheus's text format.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};

/// Renders metrics for Prometheus. Clones share the registry.
#[derive(Clone)]
pub struct Scrape {
    registry: Registry,
    /// Keeps the instruments alive while they can be scraped.
    _provider: SdkMeterProvider,
}

impl Scrape {
    pub(crate) fn new(registry: Registry, provider: SdkMeterProvider) -> Self {
        Self { registry, _provider: provider }
    }

    /// Renders all current values. Takes about a millisecond: do not call it on a thread that
    /// serves requests.
    ///
    /// # Errors
    /// If a value cannot be encoded, which is a bug.
    pub fn text(&self) -> Result<String, std::io::Error> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(std::io::Error::other)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }
}
