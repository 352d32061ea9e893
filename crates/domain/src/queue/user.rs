//! Who stands in line.

use std::fmt;

/// A person: a positive 63-bit integer, as the accounts system in front of us numbers them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UserId(u64);

/// A text or integer that is no user id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a user id is a whole number from 1 to {}, written in decimal digits without sign or leading zero",
    UserId::MAX
)]
pub struct InvalidUserId;

impl UserId {
    /// The highest user id.
    pub const MAX: u64 = i64::MAX as u64;

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidUserId`] for 0 and for anything above [`UserId::MAX`].
    pub fn new(value: u64) -> Result<Self, InvalidUserId> {
        if value == 0 || value > Self::MAX { Err(InvalidUserId) } else { Ok(Self(value)) }
    }

    /// Reads a user id in its one written form.
    ///
    /// # Errors
    /// [`InvalidUserId`] for signs, leading zeros, other characters and values out of range.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidUserId);
        }
        text.parse().map_err(|_| InvalidUserId).and_then(Self::new)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_a_positive_63_bit_integer_in_plain_digits() {
        assert_eq!(UserId::parse("1").unwrap().get(), 1);
        assert_eq!(UserId::parse("9223372036854775807").unwrap().get(), UserId::MAX);
        let bad = [
            "",
            "0",
            "007",
            "+7",
            "-1",
            "1.0",
            "abc",
            "9223372036854775808",
            "１",
            "1 ",
            "99999999999999999999",
        ];
        for text in bad {
            assert_eq!(UserId::parse(text), Err(InvalidUserId), "{text:?}");
        }
    }
}
