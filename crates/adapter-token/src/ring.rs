//! The active keys, with the signing key first, implementing the [`TokenSigner`] port.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::queue::{TokenClaims, TokenRejected, TokenSigner, WaitingToken};
use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::format::{self, MAX_CHARS, MAX_LENGTH, TAG_LENGTH};
use crate::key::{KeyId, TokenKey};

/// Signs with the first key and verifies with all keys.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<TokenKey>,
}

/// Why a list of keys is not a valid ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidKeyRing {
    /// No key at all.
    #[error("at least one token key is needed")]
    Empty,
    /// More keys than a rotation can need.
    #[error("at most {max} token keys can be live, got {0}", max = KeyRing::MAX_KEYS)]
    TooMany(usize),
    /// The same key twice, or two keys with the same id.
    #[error("token key {0} is there twice")]
    Twice(KeyId),
}

/// Which key signed a token, as [`KeyRing::inspect`] reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyUse {
    /// The current signing key.
    Current(KeyId),
    /// A key that only verifies.
    Previous(KeyId),
}

impl KeyRing {
    /// Maximum number of active keys.
    pub const MAX_KEYS: usize = 16;

    /// Creates a ring whose first key signs. Add a key to every node's ring before it signs on any
    /// node.
    ///
    /// # Errors
    /// [`InvalidKeyRing`].
    pub fn new(keys: Vec<TokenKey>) -> Result<Self, InvalidKeyRing> {
        if keys.is_empty() {
            return Err(InvalidKeyRing::Empty);
        }
        if keys.len() > Self::MAX_KEYS {
            return Err(InvalidKeyRing::TooMany(keys.len()));
        }
        let is_again =
            |(i, key): &(usize, &TokenKey)| keys[..*i].iter().any(|other| other.id() == key.id());
        match keys.iter().enumerate().find(is_again) {
            Some((_, twice)) => Err(InvalidKeyRing::Twice(twice.id())),
            None => Ok(Self { keys }),
        }
    }

    /// Verifies a token and reports which key signed it.
    ///
    /// # Errors
    /// As [`TokenSigner::verify`].
    pub fn inspect(&self, text: &str) -> Result<(TokenClaims, KeyUse), TokenRejected> {
        if text.len() > MAX_CHARS {
            return Err(TokenRejected::Malformed);
        }
        // Larger than the longest token, because the decoder works on whole groups of characters.
        let mut buffer = [0; MAX_LENGTH + 4];
        // The decoder refuses padding and stray bits, so a token has one encoding.
        let length = BASE64_URL_SAFE_NO_PAD
            .decode_slice(text, &mut buffer)
            .map_err(|_| TokenRejected::Malformed)?;
        let token = format::split(&buffer[..length])?;
        let (index, key) = self
            .keys
            .iter()
            .enumerate()
            .find(|(_, k)| k.id() == token.key)
            .ok_or(TokenRejected::UnknownKey)?;
        // Constant-time, whatever the tag.
        let verified = key.authenticate(token.message).verify_truncated_left(token.tag);
        verified.map_err(|_| TokenRejected::BadSignature)?;
        let place = token.place().ok_or(TokenRejected::Malformed)?;
        Ok((place, if index == 0 { KeyUse::Current(key.id()) } else { KeyUse::Previous(key.id()) }))
    }

    /// Derives a key from each token key, in their order, for another purpose. A tag made with it
    /// reveals nothing about tokens or other purposes. The purpose must begin with a letter, as no
    /// token does.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.keys.iter().map(|key| key.derived(purpose)).collect()
    }

    /// The keys, the signing key first; never empty.
    pub(crate) fn keys(&self) -> &[TokenKey] {
        &self.keys
    }

    fn newest(&self) -> &TokenKey {
        // `new` refuses an empty ring.
        &self.keys[0]
    }
}

impl TokenSigner for KeyRing {
    fn sign(&self, place: &TokenClaims) -> WaitingToken {
        let key = self.newest();
        let mut token = Vec::with_capacity(MAX_LENGTH);
        format::write_message(place, key.id(), &mut token);
        let tag = key.authenticate(&token).finalize().into_bytes();
        token.extend_from_slice(&tag[..TAG_LENGTH]);
        WaitingToken::new(BASE64_URL_SAFE_NO_PAD.encode(token))
    }

    fn verify(&self, text: &str) -> Result<TokenClaims, TokenRejected> {
        self.inspect(text).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> TokenKey {
        TokenKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_ring_has_one_to_sixteen_different_keys() {
        assert_eq!(KeyRing::new(vec![]).unwrap_err(), InvalidKeyRing::Empty);
        assert_eq!(
            KeyRing::new((0..17).map(key).collect()).unwrap_err(),
            InvalidKeyRing::TooMany(17)
        );
        assert_eq!(
            KeyRing::new(vec![key(1), key(2), key(1)]).unwrap_err(),
            InvalidKeyRing::Twice(key(1).id())
        );
        assert!(KeyRing::new((0..16).map(key).collect()).is_ok());
    }

    #[test]
    fn each_key_and_purpose_has_a_distinct_derived_key() {
        let ring = KeyRing::new(vec![key(1), key(2)]).unwrap();
        let (copies, others) = (ring.derived("copies"), ring.derived("others"));
        assert_eq!(copies, ring.derived("copies"));
        let all: Vec<_> = copies.iter().chain(&others).collect();
        for (n, one) in all.iter().enumerate() {
            assert!(
                all[..n].iter().all(|other| other != one) && ***one != [1; 32] && ***one != [2; 32]
            );
        }
    }
}
