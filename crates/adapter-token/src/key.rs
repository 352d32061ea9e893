//! One secret key and its public id.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Identifies a key in a token without revealing anything about it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeyId(pub(crate) [u8; Self::LENGTH]);

impl KeyId {
    pub(crate) const LENGTH: usize = 4;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key that signs and verifies tokens: at least 32 secret bytes, expanded once.
#[derive(Clone)]
pub struct TokenKey {
    id: KeyId,
    mac: Hmac<Sha256>,
}

/// Why a text is not a valid key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidKey {
    /// Not base64.
    #[error("a token key is base64 text (standard or URL-safe alphabet)")]
    NotBase64,
    /// Too few bytes to be secure.
    #[error("a token key has at least {min} bytes, this one has {0}", min = TokenKey::MIN_BYTES)]
    TooShort(usize),
    /// The system's random source failed.
    #[error("the system's random source failed")]
    NoRandomness,
}

/// Accepts padded and unpadded input, but no stray bits.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl TokenKey {
    /// Minimum key length: that of the hash, as RFC 2104 section 3 recommends.
    pub const MIN_BYTES: usize = 32;

    /// Parses a key from base64 text in either alphabet, padded or not.
    ///
    /// # Errors
    /// [`InvalidKey`], which never repeats the text.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let is_standard = text.contains(['+', '/']);
        let alphabet = if is_standard { alphabet::STANDARD } else { alphabet::URL_SAFE };
        let decoded = GeneralPurpose::new(&alphabet, LENIENT).decode(text);
        Self::from_bytes(&Zeroizing::new(decoded.map_err(|_| InvalidKey::NotBase64)?))
    }

    /// Creates a key from its secret bytes.
    ///
    /// # Errors
    /// [`InvalidKey::TooShort`].
    pub fn from_bytes(secret: &[u8]) -> Result<Self, InvalidKey> {
        let too_short = InvalidKey::TooShort(secret.len());
        if secret.len() < Self::MIN_BYTES {
            return Err(too_short);
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| too_short)?;
        Ok(Self { id: id_of(secret), mac })
    }

    /// Generates a random key as text, ready for a configuration file.
    ///
    /// # Errors
    /// [`InvalidKey::NoRandomness`].
    pub fn generate_text() -> Result<Zeroizing<String>, InvalidKey> {
        let mut secret = Zeroizing::new([0_u8; Self::MIN_BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| InvalidKey::NoRandomness)?;
        Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(secret.as_slice())))
    }

    /// The key's public id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Derives a key for another purpose; see [`KeyRing::derived`](crate::KeyRing::derived).
    pub(crate) fn derived(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.authenticate(purpose.as_bytes()).finalize().into_bytes().into())
    }

    /// The unfinished authenticator of `message`.
    pub(crate) fn authenticate(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(message);
        mac
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({})", self.id)
    }
}

/// Hashes under a separate prefix, so that a key id reveals nothing about any tag.
fn id_of(secret: &[u8]) -> KeyId {
    let mut hash = Sha256::new();
    hash.update(b"boxoffice token key id\0");
    hash.update(secret);
    let digest = hash.finalize();
    let mut id = [0; KeyId::LENGTH];
    id.copy_from_slice(&digest[..KeyId::LENGTH]);
    KeyId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_either_alphabet_padded_or_not() {
        let bytes = [0xfb_u8; 32];
        let standard = base64::prelude::BASE64_STANDARD.encode(bytes);
        let url_safe = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        assert_ne!(standard, url_safe);
        assert_eq!(
            TokenKey::parse(&standard).unwrap().id(),
            TokenKey::parse(&url_safe).unwrap().id()
        );
    }

    #[test]
    fn a_weak_or_broken_key_is_refused_without_repeating_it() {
        let short = BASE64_URL_SAFE_NO_PAD.encode([1; 31]);
        assert_eq!(TokenKey::parse(&short).unwrap_err(), InvalidKey::TooShort(31));
        let error = TokenKey::parse("hunter2!").unwrap_err();
        assert_eq!(error, InvalidKey::NotBase64);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn generated_keys_are_good_and_differ() {
        let (a, b) = (TokenKey::generate_text().unwrap(), TokenKey::generate_text().unwrap());
        assert_ne!(TokenKey::parse(&a).unwrap().id(), TokenKey::parse(&b).unwrap().id());
    }
}
