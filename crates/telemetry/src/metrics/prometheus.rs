//! The way out that is asked: Prometheus's text format.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};

/// What Prometheus reads. Clones read the same.
#[derive(Clone)]
pub struct Scrape {
    registry: Registry,
    /// Measures as long as somebody may look.
    _provider: SdkMeterProvider,
}

impl Scrape {
    pub(crate) fn new(registry: Registry, provider: SdkMeterProvider) -> Self {
        Self { registry, _provider: provider }
    }

    /// Everything measured, as of now. Takes a millisecond or so: not for a thread that serves people.
    ///
    /// # Errors
    /// When something measured cannot be written, which is a mistake of ours.
    pub fn text(&self) -> Result<String, std::io::Error> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(std::io::Error::other)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }
}
