//! Ids from other systems: positive 63-bit integers, which every store and client can hold in a
//! signed integer.

/// Defines an id type and its error. An id has one text form: decimal digits, without sign or
/// leading zero.
macro_rules! positive_id {
    ($(#[$about:meta])* $id:ident, $invalid:ident, $name:literal) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $id(u64);

        #[doc = concat!("The input is not a ", $name, ".")]
        #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
        #[error(
            "a {} is a whole number from 1 to {}, in decimal digits without sign or leading zero",
            $name,
            $id::MAX
        )]
        pub struct $invalid;

        impl $id {
            /// The highest id.
            pub const MAX: u64 = i64::MAX as u64;

            /// Checks an integer.
            ///
            /// # Errors
            /// For 0 and for anything above [`Self::MAX`].
            pub fn new(value: u64) -> Result<Self, $invalid> {
                if value == 0 || value > Self::MAX { Err($invalid) } else { Ok(Self(value)) }
            }

            /// Parses the text form.
            ///
            /// # Errors
            /// For signs, leading zeros, other characters and values out of range.
            pub fn parse(text: &str) -> Result<Self, $invalid> {
                if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
                    return Err($invalid);
                }
                text.parse().map_err(|_| $invalid).and_then(Self::new)
            }

            /// The integer.
            #[must_use]
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl std::fmt::Display for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

pub(crate) use positive_id;

#[cfg(test)]
mod tests {
    use crate::queue::{InvalidUserId, UserId};

    #[test]
    fn an_id_is_a_positive_63_bit_integer_in_plain_digits() {
        assert_eq!(UserId::parse("1").unwrap().get(), 1);
        assert_eq!(
            UserId::parse("9223372036854775807").unwrap().to_string(),
            UserId::MAX.to_string()
        );
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
        assert!(
            InvalidUserId
                .to_string()
                .starts_with("a user id is a whole number from 1 to 9223372036854775807")
        );
    }
}
