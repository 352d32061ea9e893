//! [`TokenSigner`] and [`PuzzleIssuer`]: with the configured keys, or with a generated one.

use std::sync::Arc;

use adapter_http::JoinPuzzles;
use adapter_token::{InvalidKey, KeyRing, PuzzleRing, TokenKey};
use domain::Clock;
use domain::queue::{PuzzleIssuer, TokenSigner};

use crate::config::QueueSection;
use crate::start_error::StartError;

/// The signer of tokens and the issuer of puzzles.
pub(crate) struct Signers {
    pub(crate) tokens: Arc<dyn TokenSigner>,
    pub(crate) puzzles: JoinPuzzles,
}

/// The given signer, or one with the keys of the configuration. Puzzles always use those keys.
pub(crate) fn signers(
    section: &QueueSection,
    given: Option<Arc<dyn TokenSigner>>,
    clock: Arc<dyn Clock>,
) -> Result<Signers, StartError> {
    let rule = section.puzzle.rule(section.join_puzzle)?;
    let (tokens, rule) = match (given, rule) {
        (Some(given), None) => return Ok(Signers { tokens: given, puzzles: JoinPuzzles::off() }),
        other => other,
    };
    let keys = token_keys(section)?;
    let puzzles = match rule {
        None => JoinPuzzles::off(),
        Some(rule) => {
            // Signed with keys that are derived from the token keys.
            let issuer: Arc<dyn PuzzleIssuer> =
                Arc::new(PuzzleRing::new(&keys, section.queue_id()?));
            JoinPuzzles::new(issuer, rule, clock)
        }
    };
    Ok(Signers { tokens: tokens.unwrap_or_else(|| Arc::new(keys)), puzzles })
}

fn token_keys(section: &QueueSection) -> Result<KeyRing, StartError> {
    if let Some(configured) = section.key_ring()? {
        return Ok(configured);
    }
    let ring = ephemeral().map_err(StartError::NoKey)?;
    tracing::warn!(
        "no token key is configured (queue.keys): one was generated for this run, and waiting tokens will not outlive it"
    );
    Ok(ring)
}

fn ephemeral() -> Result<KeyRing, InvalidKey> {
    let key = TokenKey::parse(&TokenKey::generate_text()?)?;
    // One valid key always makes a ring.
    KeyRing::new(vec![key]).map_err(|_| InvalidKey::NoRandomness)
}
