//! The contract suite for tokens on the key ring.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use adapter_token::{KeyRing, TokenKey};
use contracts::token::SignerFixture;
use domain::queue::TokenSigner;

struct Ring;

impl SignerFixture for Ring {
    fn signer(&self, keys: &[u8]) -> Box<dyn TokenSigner> {
        let keys = keys.iter().map(|k| TokenKey::from_bytes(&[*k; 32]).unwrap()).collect();
        Box::new(KeyRing::new(keys).unwrap())
    }
}

contracts::token_contract!(Ring);
