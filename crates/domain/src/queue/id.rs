//! The name of a queue.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Names one queue: 1 to 32 characters of `a-z`, `0-9` and `-`. Stored inline, so that reading a
/// token allocates nothing.
#[derive(Clone, Copy)]
pub struct QueueId {
    length: u8,
    text: [u8; Self::MAX_LENGTH],
}

/// The text is not a queue id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a queue id is 1 to {} characters of a-z, 0-9 and '-'", QueueId::MAX_LENGTH)]
pub struct InvalidQueueId;

impl QueueId {
    /// The longest id, in bytes.
    pub const MAX_LENGTH: usize = 32;

    /// Parses a queue id.
    ///
    /// # Errors
    /// [`InvalidQueueId`] if the text is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, InvalidQueueId> {
        let allowed = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > Self::MAX_LENGTH || !bytes.iter().all(allowed) {
            return Err(InvalidQueueId);
        }
        let length = u8::try_from(bytes.len()).map_err(|_| InvalidQueueId)?;
        let mut id = Self { length, text: [0; Self::MAX_LENGTH] };
        id.text[..bytes.len()].copy_from_slice(bytes);
        Ok(id)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // `parse` accepts only ASCII, so the fallback is unreachable.
        std::str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl PartialEq for QueueId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for QueueId {}

impl Hash for QueueId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_id_is_short_lower_case_ascii() {
        assert_eq!(QueueId::parse("main").unwrap().as_str(), "main");
        assert_eq!(QueueId::parse(&"a".repeat(32)).unwrap().as_str().len(), 32);
        for bad in ["", "Main", "a b", "콘서트", "a_b", &"a".repeat(33)] {
            assert_eq!(QueueId::parse(bad), Err(InvalidQueueId), "{bad:?}");
        }
    }

    #[test]
    fn ids_are_told_apart_by_their_text_alone() {
        let id = |text: &str| QueueId::parse(text).unwrap();
        let hash = |text: &str| {
            let mut state = std::hash::DefaultHasher::new();
            id(text).hash(&mut state);
            state.finish()
        };
        assert_eq!((id("main"), hash("main")), (id("main"), hash("main")));
        for other in ["mai", "main-2", "niam"] {
            assert_ne!(id("main"), id(other));
            assert_ne!(hash("main"), hash(other), "{other}: a map of queues would be a list");
        }
        assert_eq!(format!("{} and {:?}", id("main"), id("b-2")), "main and QueueId(b-2)");
    }
}
