//! What is written under a key: a head that says by which version and when, a checksum, and the payload.

use bytes::{BufMut as _, Bytes, BytesMut};
use decorators::cache::{Stamp, Unusable};

/// How a value of this version begins. The last byte is the version.
pub(super) const MARK: [u8; 4] = *b"bxc\x01";

/// Mark, checksum, stamp: 4, 8 and 8 bytes, numbers with the high byte first. The scripts know this layout.
pub(super) const HEAD: usize = 20;

/// What is read from a value.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) payload: Bytes,
}

pub(super) fn write(stamp: Stamp, payload: &[u8]) -> Bytes {
    let mut value = BytesMut::with_capacity(HEAD + payload.len());
    value.put_slice(&MARK);
    value.put_u64(checksum(stamp.0, payload));
    value.put_u64(stamp.0);
    value.put_slice(payload);
    value.freeze()
}

pub(super) fn read(value: Bytes) -> Result<Entry, Unusable> {
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
    if checksum(stamp, &value[HEAD..]) != sum {
        return Err(Unusable::Corrupt);
    }
    Ok(Entry { stamp: Stamp(stamp), payload: value.slice(HEAD..) })
}

/// The checksum that a value claims to have, by which the scripts are told which value not to trust.
pub(super) fn digest(value: &[u8]) -> &[u8] {
    value.get(4..12).unwrap_or_default()
}

fn number(value: &[u8], at: usize) -> Option<u64> {
    value.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Tells damage, not malice.
fn checksum(stamp: u64, payload: &[u8]) -> u64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&stamp.to_be_bytes());
    sum.update(payload);
    sum.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp(1_777_896_000_123_456);

    fn payload(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 37 + 11).to_le_bytes()[0]).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, 7, 8, 9, 15, 16, 1_000, 65_537] {
            let payload = Bytes::from(payload(length));
            let entry = read(write(STAMP, &payload)).unwrap();
            assert_eq!(entry, Entry { stamp: STAMP, payload });
        }
    }

    #[test]
    fn the_layout_is_the_one_the_scripts_know() {
        let value = write(Stamp(0x0102_0304_0506_0708), b"payload");
        assert_eq!(value[..4], *b"bxc\x01");
        assert_eq!(value[12..20], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(value[20..], *b"payload");
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
                    assert_eq!(read(flipped.into()), Err(expected), "byte {at}, bit {bit} of {length}");
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
}
