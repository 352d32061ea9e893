//! [`TokenSigner`] and [`PuzzleIssuer`]: with the configured keys, or with a generated one.

use std::sync::Arc;

use adapter_http::JoinPuzzles;
use adapter_token::{InvalidKey, KeyRing, PuzzleRing, TokenKey};
use domain::Clock;
use domain::queue::{PuzzleIssuer, TokenSigner};

use crate::config::QueueSection;
use crate::start_error::StartError;

pub(crate) fn token_keys(section: &QueueSection) -> Result<KeyRing, StartError> {
    if let Some(configured) = section.key_ring()? {
        return Ok(configured);
    }
    let ring = ephemeral().map_err(StartError::NoKey)?;
    tracing::warn!(
        "no token key is configured (queue.keys): one was generated for this run, and waiting tokens will not outlive it"
    );
    Ok(ring)
}

pub(crate) fn token_signer(keys: &KeyRing) -> Arc<dyn TokenSigner> {
    Arc::new(keys.clone())
}

/// Puzzles signed with keys that are derived from the token keys.
pub(crate) fn join_puzzles(
    section: &QueueSection,
    keys: &KeyRing,
    clock: Arc<dyn Clock>,
) -> Result<JoinPuzzles, StartError> {
    let Some(rule) = section.puzzle.rule(section.join_puzzle)? else {
        return Ok(JoinPuzzles::off());
    };
    let issuer: Arc<dyn PuzzleIssuer> = Arc::new(PuzzleRing::new(keys, section.queue_id()?));
    Ok(JoinPuzzles::new(issuer, rule, clock))
}

fn ephemeral() -> Result<KeyRing, InvalidKey> {
    let key = TokenKey::parse(&TokenKey::generate_text()?)?;
    // One valid key always makes a ring.
    KeyRing::new(vec![key]).map_err(|_| InvalidKey::NoRandomness)
}
