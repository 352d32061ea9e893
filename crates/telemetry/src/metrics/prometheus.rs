//! The way out that is asked: Prometheus's text format.

use prometheus::{Encoder as _, Registry, TextEncoder};

/// What Prometheus reads. Clones read the same.
#[derive(Clone)]
pub struct Scrape(Registry);

impl Scrape {
    pub(crate) fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// Everything measured, as of now. Takes a millisecond or so: not for a thread that serves people.
    ///
    /// # Errors
    /// When something measured cannot be written, which is a mistake of ours.
    pub fn text(&self) -> Result<String, std::io::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.gather(), &mut text).map_err(std::io::Error::other)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }
}
