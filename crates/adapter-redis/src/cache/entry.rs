//! The value under a key: a head with version, checksum, stamp and signature, then the payload.

use bytes::{BufMut as _, Bytes, BytesMut};
use decorators::cache::{CopyVersion, Unusable};

use super::signer::{CacheSigner, Signed, TAG};

/// The first bytes of a value. The last one is the format version.
pub(super) const MARK: [u8; 4] = *b"bxc\x02";

/// Mark, checksum, stamp, tag: 4, 8, 8 and 16 bytes, numbers in big-endian order. The scripts read
/// all but the tag.
pub(super) const HEAD: usize = 20 + TAG;

/// The content of a value.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) stamp: CopyVersion,
    pub(super) payload: Bytes,
}

/// The value of a copy with this name.
pub(super) fn write(signer: &CacheSigner, name: &str, stamp: CopyVersion, payload: &[u8]) -> Bytes {
    let tag = signer.tag(Signed::Copy, name, stamp.0, payload);
    let mut value = BytesMut::with_capacity(HEAD + payload.len());
    value.put_slice(&MARK);
    value.put_u64(checksum(stamp.0, &tag, payload));
    value.put_u64(stamp.0);
    value.put_slice(&tag);
    value.put_slice(payload);
    value.freeze()
}

/// Reads a value that this deployment wrote under this name. Distinguishes damage from a value of
/// another writer.
pub(super) fn read(signer: &CacheSigner, name: &str, value: Bytes) -> Result<Entry, Unusable> {
    let Some((mark, _)) = value.split_first_chunk::<4>() else { return Err(Unusable::Corrupt) };
    if mark[..3] != MARK[..3] {
        return Err(Unusable::Corrupt);
    }
    if mark[3] != MARK[3] {
        return Err(Unusable::Version);
    }
    let (Some(sum), Some(stamp)) = (number(&value, 4), number(&value, 12)) else {
        return Err(Unusable::Corrupt);
    };
    let Some(tag) = value.get(HEAD - TAG..HEAD) else { return Err(Unusable::Corrupt) };
    let payload = &value[HEAD..];
    if checksum(stamp, tag, payload) != sum {
        return Err(Unusable::Corrupt);
    }
    if !signer.is_ours(tag, Signed::Copy, name, stamp, payload) {
        return Err(Unusable::Foreign);
    }
    Ok(Entry { stamp: CopyVersion(stamp), payload: value.slice(HEAD..) })
}

/// The stored checksum of a value. It identifies a value that the scripts must not trust.
pub(super) fn digest(value: &[u8]) -> &[u8] {
    value.get(4..12).unwrap_or_default()
}

fn number(value: &[u8], at: usize) -> Option<u64> {
    value.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Detects damage, not forgery.
fn checksum(stamp: u64, tag: &[u8], payload: &[u8]) -> u64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&stamp.to_be_bytes());
    sum.update(tag);
    sum.update(payload);
    sum.finalize().into()
}

#[cfg(test)]
mod tests {
    use domain::queue::QueueId;

    use super::*;

    const NAME: &str = "concerts:page-1";

    fn signer(byte: u8) -> CacheSigner {
        CacheSigner::new(QueueId::parse("main").unwrap(), &[byte; 32], &[])
    }

    fn write(stamp: CopyVersion, payload: &[u8]) -> Bytes {
        super::write(&signer(1), NAME, stamp, payload)
    }

    fn read(value: Bytes) -> Result<Entry, Unusable> {
        super::read(&signer(1), NAME, value)
    }

    const STAMP: CopyVersion = CopyVersion(1_777_896_000_123_456);

    fn payload(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 37 + 11).to_le_bytes()[0]).collect()
    }

    #[test]
    fn a_written_value_reads_back() {
        for length in [0, 1, 7, 8, 9, 15, 16, 1_000, 65_537] {
            let payload = Bytes::from(payload(length));
            let entry = read(write(STAMP, &payload)).unwrap();
            assert_eq!(entry, Entry { stamp: STAMP, payload });
        }
    }

    #[test]
    fn the_layout_is_the_one_the_scripts_know() {
        let value = write(CopyVersion(0x0102_0304_0506_0708), b"payload");
        assert_eq!(value[..4], *b"bxc\x02");
        assert_eq!(value[12..20], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(value[36..], *b"payload");
        assert_eq!(digest(&value), &value[4..12]);
        assert!(digest(b"short").is_empty());
    }

    #[test]
    fn no_value_with_a_bit_flipped_is_a_copy() {
        for length in [0, 1, 8, 13, 100] {
            let value = write(STAMP, &payload(length));
            for at in 0..value.len() {
                for bit in 0..8 {
                    let mut flipped = value.to_vec();
                    flipped[at] ^= 1 << bit;
                    let expected = if at == 3 { Unusable::Version } else { Unusable::Corrupt };
                    assert_eq!(
                        read(flipped.into()),
                        Err(expected),
                        "byte {at}, bit {bit} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_value_with_a_byte_changed_in_any_way_is_a_copy() {
        let value = write(STAMP, &payload(21));
        for at in 0..value.len() {
            for change in 1..=u8::MAX {
                let mut changed = value.to_vec();
                changed[at] ^= change;
                assert!(read(changed.into()).is_err(), "byte {at} changed by {change}");
            }
        }
    }

    #[test]
    fn no_value_that_is_cut_or_longer_is_a_copy() {
        let value = write(STAMP, &payload(100));
        for length in 0..value.len() {
            assert_eq!(read(value.slice(..length)), Err(Unusable::Corrupt), "cut to {length}");
        }
        for more in [&b"\0"[..], b"x", b"\0\0\0\0\0\0\0\0"] {
            assert_eq!(read([&value, more].concat().into()), Err(Unusable::Corrupt));
        }
    }

    #[test]
    fn changes_of_high_bits_do_not_undo_each_other() {
        let value = write(STAMP, &payload(64));
        for first in (HEAD + 7..value.len()).step_by(8) {
            for second in (first + 8..value.len()).step_by(8) {
                let mut changed = value.to_vec();
                changed[first] ^= 0x80;
                changed[second] ^= 0x80;
                assert_eq!(read(changed.into()), Err(Unusable::Corrupt));
            }
        }
    }

    #[test]
    fn what_another_key_signed_or_was_signed_for_another_name_or_time_is_foreign() {
        let value = super::write(&signer(2), NAME, STAMP, b"payload");
        assert_eq!(read(value), Err(Unusable::Foreign));
        let value = super::write(&signer(1), "concerts:page-2", STAMP, b"payload");
        assert_eq!(read(value), Err(Unusable::Foreign));
        // A writer who knows the format but no key: each changed stamp or payload has a valid
        // checksum.
        let ours = write(STAMP, b"payload");
        let tag = &ours[HEAD - TAG..HEAD];
        for (stamp, payload) in
            [(STAMP.0 + 1, &b"payload"[..]), (STAMP.0, b"poison!"), (STAMP.0, b"")]
        {
            let sum = checksum(stamp, tag, payload).to_be_bytes();
            let forged = [&MARK[..], &sum, &stamp.to_be_bytes(), tag, payload].concat();
            assert_eq!(read(forged.into()), Err(Unusable::Foreign));
        }
    }

    #[test]
    fn a_value_of_the_previous_version_is_of_another_version() {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&STAMP.0.to_be_bytes());
        sum.update(b"payload");
        let sum = u64::from(sum.finalize()).to_be_bytes();
        let value = [&b"bxc\x01"[..], &sum, &STAMP.0.to_be_bytes(), b"payload"].concat();
        assert_eq!(read(value.into()), Err(Unusable::Version));
    }
}
