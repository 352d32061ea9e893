//! Signs what this deployment writes, in a Redis that others can write to.

use std::fmt;

use domain::queue::QueueId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Signs and verifies what a deployment keeps in the Redis of the cache. The first key signs, any
/// key verifies. Clones are the same.
#[derive(Clone)]
pub struct CacheSigner {
    deployment: QueueId,
    keys: Vec<Hmac<Sha256>>,
}

/// Bytes of a tag: half of the hash, as RFC 2104 section 5 allows.
pub(super) const TAG: usize = 16;

/// The kind of value signed, so that none passes for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signed {
    Copy,
    Lease,
    Invalidation,
}

impl CacheSigner {
    /// A signer for the deployment of this queue. `first` signs; all keys verify, `others` in their
    /// order. Keys are 32 secret bytes used for nothing else.
    #[must_use]
    pub fn new(deployment: QueueId, first: &[u8; 32], others: &[[u8; 32]]) -> Self {
        let keys = std::iter::once(first).chain(others).map(keyed).collect();
        Self { deployment, keys }
    }

    /// The deployment that owns the copies.
    pub(super) fn deployment(&self) -> QueueId {
        self.deployment
    }

    pub(super) fn tag(&self, what: Signed, name: &str, number: u64, payload: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        // There is always a first key.
        if let Some(key) = self.keys.first() {
            let whole = self.message(key, what, name, number, payload).finalize().into_bytes();
            tag.copy_from_slice(&whole[..TAG]);
        }
        tag
    }

    /// Takes constant time for each key.
    pub(super) fn is_ours(
        &self,
        tag: &[u8],
        what: Signed,
        name: &str,
        number: u64,
        payload: &[u8],
    ) -> bool {
        let signed_it = |key| {
            let message = self.message(key, what, name, number, payload);
            tag.len() == TAG && message.verify_truncated_left(tag).is_ok()
        };
        self.keys.iter().any(signed_it)
    }

    fn message(
        &self,
        key: &Hmac<Sha256>,
        what: Signed,
        name: &str,
        number: u64,
        payload: &[u8],
    ) -> Hmac<Sha256> {
        let mut mac = key.clone();
        // Each part has a fixed length or is preceded by its length, so that no two lists of parts
        // give the same message.
        mac.update(&[match what {
            Signed::Copy => 1,
            Signed::Lease => 2,
            Signed::Invalidation => 3,
        }]);
        for part in [self.deployment.as_str(), name] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&number.to_be_bytes());
        mac.update(payload);
        mac
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // Padded to the hash's block, as HMAC pads a shorter key.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    Hmac::new(&block.into())
}

impl fmt::Debug for CacheSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheSigner({}, {} keys)", self.deployment, self.keys.len())
    }
}

/// A tag as hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(deployment: &str, first: u8, others: &[u8]) -> CacheSigner {
        let others: Vec<_> = others.iter().map(|byte| [*byte; 32]).collect();
        CacheSigner::new(QueueId::parse(deployment).unwrap(), &[first; 32], &others)
    }

    #[test]
    fn the_first_key_signs_and_any_verifies() {
        let tag = |signer: &CacheSigner| signer.tag(Signed::Copy, "concerts:page-1", 7, b"payload");
        let (old, both, new) =
            (signer("main", 1, &[]), signer("main", 1, &[2]), signer("main", 2, &[1]));
        let is_ours = |signer: &CacheSigner, tag: [u8; TAG]| {
            signer.is_ours(&tag, Signed::Copy, "concerts:page-1", 7, b"payload")
        };
        assert_eq!(tag(&old), tag(&both));
        assert!(is_ours(&both, tag(&new)) && is_ours(&new, tag(&old)));
        assert!(!is_ours(&old, tag(&new)));
    }

    #[test]
    fn a_tag_is_for_one_deployment_one_name_one_moment_one_payload_and_one_purpose() {
        let ours = signer("main", 1, &[]);
        let tag = ours.tag(Signed::Copy, "ab", 7, b"c");
        assert!(ours.is_ours(&tag, Signed::Copy, "ab", 7, b"c"));
        assert!(!signer("other", 1, &[]).is_ours(&tag, Signed::Copy, "ab", 7, b"c"));
        assert!(!signer("main", 2, &[]).is_ours(&tag, Signed::Copy, "ab", 7, b"c"));
        assert!(!ours.is_ours(&tag, Signed::Lease, "ab", 7, b"c"));
        assert!(!ours.is_ours(&tag, Signed::Copy, "a", 7, b"bc"));
        assert!(!ours.is_ours(&tag, Signed::Copy, "ab", 8, b"c"));
        assert!(!ours.is_ours(&tag, Signed::Copy, "ab", 7, b""));
        assert!(!ours.is_ours(&tag[..15], Signed::Copy, "ab", 7, b"c"));
        assert!(!ours.is_ours(b"", Signed::Copy, "ab", 7, b"c"));
    }

    #[test]
    fn debug_output_shows_no_key() {
        assert_eq!(format!("{:?}", signer("main", 1, &[2])), "CacheSigner(main, 2 keys)");
    }
}
