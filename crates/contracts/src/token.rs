//! The rules of [`TokenSealer`].

use domain::Timestamp;
use domain::queue::{Incarnation, Place, QueueId, QueueNumber, TokenRejected, TokenSealer, UserId};

use crate::{Verdict, Violation, ensure, ensure_eq};

/// Opens token signers.
pub trait SealerFixture: Send + Sync {
    /// Opens a signer whose active keys are named by `keys`, the signing key first; equal names are
    /// equal keys.
    fn sealer(&self, keys: &[u8]) -> Box<dyn TokenSealer>;
}

/// The macro behind [`token_contract`](crate::token_contract); calls back with the name of every
/// rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_token_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            verifies_its_own_tokens
            rejects_every_single_bit_change
            rejects_truncation_and_extension
            signs_with_the_newest_key_and_verifies_with_all
            rejects_retired_and_unknown_keys
            distinguishes_queues
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! token_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::token::$rule(&$fixture) {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`TokenSealer`], on a [`SealerFixture`].
#[macro_export]
macro_rules! token_contract {
    ($fixture:expr) => {
        $crate::for_each_token_rule! { token_tests!($fixture) }
    };
}

/// A rule of this port.
pub type TokenRule = fn(&dyn SealerFixture) -> Verdict;

#[doc(hidden)]
#[macro_export]
macro_rules! token_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, TokenRule)] = &[$((stringify!($rule), $rule)),*];
    };
}

for_each_token_rule! { token_table!() }

fn place(queue: &str, number: u64, user: u64) -> Result<Place, Violation> {
    Ok(Place {
        queue: QueueId::parse(queue)?,
        incarnation: Incarnation::new(1_700_000_000_000_321)?,
        number: QueueNumber::new(number)?,
        user: UserId::new(user)?,
        issued_at: Timestamp::from_millisecond(1_700_000_000_123)?,
    })
}

/// A signed token verifies to the same claims, also at the ends of every range.
///
/// # Errors
/// The violation, if any.
pub fn verifies_its_own_tokens(fixture: &dyn SealerFixture) -> Verdict {
    let sealer = fixture.sealer(&[1]);
    let longest = "q".repeat(QueueId::MAX_LENGTH);
    let last = Incarnation::new(Incarnation::MAX)?;
    let highest = Place { incarnation: last, ..place(&longest, QueueNumber::MAX, UserId::MAX)? };
    let lowest = Place { incarnation: Incarnation::new(1)?, ..place("main", 1, 1)? };
    for place in [lowest, highest] {
        ensure_eq(sealer.open(sealer.seal(&place).as_str()), Ok(place), "the place read back")?;
    }
    Ok(())
}

/// A token with any bit changed is rejected.
///
/// # Errors
/// The violation, if any.
pub fn rejects_every_single_bit_change(fixture: &dyn SealerFixture) -> Verdict {
    let sealer = fixture.sealer(&[1, 2]);
    let token = sealer.seal(&place("main", 17, 99)?).as_str().as_bytes().to_vec();
    for bit in 0..token.len() * 8 {
        let mut changed = token.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(text) = String::from_utf8(changed) else { continue };
        ensure(sealer.open(&text).is_err(), || format!("accepted {text} with bit {bit} changed"))?;
    }
    Ok(())
}

/// A truncated or extended token is rejected, at either end.
///
/// # Errors
/// The violation, if any.
pub fn rejects_truncation_and_extension(fixture: &dyn SealerFixture) -> Verdict {
    let sealer = fixture.sealer(&[1]);
    let token = sealer.seal(&place("main", 17, 99)?).as_str().to_owned();
    for cut in 1..=token.len() {
        ensure(sealer.open(&token[cut..]).is_err(), || {
            format!("accepted it without its first {cut} characters")
        })?;
        let kept = token.len() - cut;
        ensure(sealer.open(&token[..kept]).is_err(), || {
            format!("accepted its first {kept} characters")
        })?;
    }
    for added in ["A", "=", "==", "AAAA", " ", "\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        ensure(sealer.open(&format!("{token}{added}")).is_err(), || {
            format!("accepted {added:?} after it")
        })?;
        ensure(sealer.open(&format!("{added}{token}")).is_err(), || {
            format!("accepted {added:?} before it")
        })?;
    }
    Ok(())
}

/// Several keys can be active, so a key rotation invalidates no token.
///
/// # Errors
/// The violation, if any.
pub fn signs_with_the_newest_key_and_verifies_with_all(fixture: &dyn SealerFixture) -> Verdict {
    let place = place("main", 17, 99)?;
    let (old, both, new) = (fixture.sealer(&[1]), fixture.sealer(&[2, 1]), fixture.sealer(&[2]));
    ensure_eq(both.open(old.seal(&place).as_str()), Ok(place), "a token of the older key")?;
    ensure_eq(
        new.open(both.seal(&place).as_str()),
        Ok(place),
        "a token signed while both keys were active",
    )
}

/// A token signed with an inactive key is rejected.
///
/// # Errors
/// The violation, if any.
pub fn rejects_retired_and_unknown_keys(fixture: &dyn SealerFixture) -> Verdict {
    let token = fixture.sealer(&[1]).seal(&place("main", 17, 99)?);
    let answer = fixture.sealer(&[2, 3]).open(token.as_str());
    ensure_eq(answer, Err(TokenRejected::UnknownKey), "a token of a retired key")
}

/// Places that differ in any field have different tokens, and a token contains its queue, so that a
/// token of another queue is recognised.
///
/// # Errors
/// The violation, if any.
pub fn distinguishes_queues(fixture: &dyn SealerFixture) -> Verdict {
    let sealer = fixture.sealer(&[1]);
    let other = sealer.open(sealer.seal(&place("other", 17, 99)?).as_str())?;
    ensure_eq(other.queue, QueueId::parse("other")?, "the queue of a token")?;
    let mut tokens = Vec::new();
    for (queue, number, user) in
        [("main", 17, 99), ("other", 17, 99), ("main", 18, 99), ("main", 17, 98)]
    {
        tokens.push(sealer.seal(&place(queue, number, user)?).as_str().to_owned());
    }
    let earlier = Place { incarnation: Incarnation::new(17)?, ..place("main", 17, 99)? };
    tokens.push(sealer.seal(&earlier).as_str().to_owned());
    tokens.sort_unstable();
    tokens.dedup();
    ensure_eq(tokens.len(), 5, "different tokens of different places")
}
