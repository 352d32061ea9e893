//! The bytes of a token; the README has the table.

use domain::Timestamp;
use domain::queue::{Incarnation, QueueId, QueueNumber, TokenClaims, TokenRejected, UserId};

use crate::key::KeyId;

pub(crate) const VERSION: u8 = 2;
pub(crate) const TAG_LENGTH: usize = 16;
const HEAD_LENGTH: usize = 1 + KeyId::LENGTH + 1;
const BODY_LENGTH: usize = 8 + 8 + 8 + TIME_LENGTH;
const TIME_LENGTH: usize = 6;
/// Maximum length of a token, in bytes.
pub(crate) const MAX_LENGTH: usize = HEAD_LENGTH + QueueId::MAX_LENGTH + BODY_LENGTH + TAG_LENGTH;
/// Maximum length of a token, in unpadded base64 characters.
pub(crate) const MAX_CHARS: usize = (MAX_LENGTH * 4).div_ceil(3);

/// Writes the message that the tag covers.
pub(crate) fn write_message(place: &TokenClaims, key: KeyId, into: &mut Vec<u8>) {
    let queue = place.queue.as_str().as_bytes();
    into.push(VERSION);
    into.extend_from_slice(&key.0);
    // A queue id has at most 32 bytes.
    into.push(u8::try_from(queue.len()).unwrap_or(u8::MAX));
    into.extend_from_slice(queue);
    into.extend_from_slice(&place.incarnation.get().to_be_bytes());
    into.extend_from_slice(&place.number.get().to_be_bytes());
    into.extend_from_slice(&place.user.get().to_be_bytes());
    let milliseconds = u64::try_from(place.issued_at.as_millisecond()).unwrap_or(0);
    into.extend_from_slice(&milliseconds.to_be_bytes()[8 - TIME_LENGTH..]);
}

/// A token split into its parts, not yet verified.
pub(crate) struct Split<'a> {
    pub(crate) key: KeyId,
    pub(crate) message: &'a [u8],
    pub(crate) tag: &'a [u8],
    queue: &'a [u8],
    body: &'a [u8; BODY_LENGTH],
}

/// Splits the bytes of a token.
pub(crate) fn split(bytes: &[u8]) -> Result<Split<'_>, TokenRejected> {
    let (&version, _) = bytes.split_first().ok_or(TokenRejected::Malformed)?;
    if version != VERSION {
        return Err(TokenRejected::UnknownVersion);
    }
    split_version_2(bytes).ok_or(TokenRejected::Malformed)
}

fn split_version_2(bytes: &[u8]) -> Option<Split<'_>> {
    let (message, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LENGTH)?)?;
    let (head, rest) = message.split_first_chunk::<HEAD_LENGTH>()?;
    let [_, key @ .., queue_length] = head;
    let (queue, body) = rest.split_at_checked(usize::from(*queue_length))?;
    Some(Split { key: KeyId(*key), message, tag, queue, body: body.try_into().ok()? })
}

impl Split<'_> {
    /// Reads the place. Call it only after the tag is verified.
    pub(crate) fn place(&self) -> Option<TokenClaims> {
        let queue = QueueId::parse(std::str::from_utf8(self.queue).ok()?).ok()?;
        let (incarnation, rest) = self.body.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (user, time) = rest.split_first_chunk::<8>()?;
        let mut milliseconds = [0; 8];
        milliseconds[8 - TIME_LENGTH..].copy_from_slice(time);
        let milliseconds = i64::try_from(u64::from_be_bytes(milliseconds)).ok()?;
        Some(TokenClaims {
            queue,
            incarnation: Incarnation::new(u64::from_be_bytes(*incarnation)).ok()?,
            number: QueueNumber::new(u64::from_be_bytes(*number)).ok()?,
            user: UserId::new(u64::from_be_bytes(*user)).ok()?,
            issued_at: Timestamp::from_millisecond(milliseconds).ok()?,
        })
    }
}
