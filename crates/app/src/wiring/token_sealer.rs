//! [`TokenSealer`]: the configured keys, or one made now.

use std::sync::Arc;

use adapter_token::{InvalidKey, KeyRing, TokenKey};
use domain::queue::TokenSealer;

use crate::application::StartError;
use crate::config::QueueSection;

pub(crate) fn token_sealer(section: &QueueSection) -> Result<Arc<dyn TokenSealer>, StartError> {
    if let Some(configured) = section.key_ring()? {
        return Ok(Arc::new(configured));
    }
    let ring = ephemeral().map_err(StartError::NoKey)?;
    tracing::warn!(
        "no token key is configured (queue.keys): one was made for this run, and waiting tokens will not outlive it"
    );
    Ok(Arc::new(ring))
}

fn ephemeral() -> Result<KeyRing, InvalidKey> {
    let key = TokenKey::parse(&TokenKey::generate_text()?)?;
    // One key is always a ring.
    KeyRing::new(vec![key]).map_err(|_| InvalidKey::NoRandomness)
}
