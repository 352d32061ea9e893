//! The rules of [`TokenSigner`].

use domain::Timestamp;
use domain::queue::{
    Incarnation, QueueId, QueueNumber, TokenClaims, TokenRejected, TokenSigner, UserId,
};

use crate::{RuleResult, Violation, ensure, ensure_eq};

/// Opens token signers.
pub trait SignerFixture: Send + Sync {
    /// Opens a signer whose active keys are named by `keys`, the signing key first; equal names are
    /// equal keys.
    fn signer(&self, keys: &[u8]) -> Box<dyn TokenSigner>;
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

/// Expands to one test per rule of [`TokenSigner`], on a [`SignerFixture`].
#[macro_export]
macro_rules! token_contract {
    ($fixture:expr) => {
        $crate::for_each_token_rule! { token_tests!($fixture) }
    };
}

/// A rule of this port.
pub type TokenRule = fn(&dyn SignerFixture) -> RuleResult;

#[doc(hidden)]
#[macro_export]
macro_rules! token_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, TokenRule)] = &[$((stringify!($rule), $rule)),*];
    };
}

for_each_token_rule! { token_table!() }

fn place(queue: &str, number: u64, user: u64) -> Result<TokenClaims, Violation> {
    Ok(TokenClaims {
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
pub fn verifies_its_own_tokens(fixture: &dyn SignerFixture) -> RuleResult {
    let signer = fixture.signer(&[1]);
    let longest = "q".repeat(QueueId::MAX_LENGTH);
    let last = Incarnation::new(Incarnation::MAX)?;
    let highest =
        TokenClaims { incarnation: last, ..place(&longest, QueueNumber::MAX, UserId::MAX)? };
    let lowest = TokenClaims { incarnation: Incarnation::new(1)?, ..place("main", 1, 1)? };
    for place in [lowest, highest] {
        ensure_eq(signer.verify(signer.sign(&place).as_str()), Ok(place), "the place read back")?;
    }
    Ok(())
}

/// A token with any bit changed is rejected.
///
/// # Errors
/// The violation, if any.
pub fn rejects_every_single_bit_change(fixture: &dyn SignerFixture) -> RuleResult {
    let signer = fixture.signer(&[1, 2]);
    let token = signer.sign(&place("main", 17, 99)?).as_str().as_bytes().to_vec();
    for bit in 0..token.len() * 8 {
        let mut changed = token.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(text) = String::from_utf8(changed) else { continue };
        ensure(signer.verify(&text).is_err(), || {
            format!("accepted {text} with bit {bit} changed")
        })?;
    }
    Ok(())
}

/// A truncated or extended token is rejected, at either end.
///
/// # Errors
/// The violation, if any.
pub fn rejects_truncation_and_extension(fixture: &dyn SignerFixture) -> RuleResult {
    let signer = fixture.signer(&[1]);
    let token = signer.sign(&place("main", 17, 99)?).as_str().to_owned();
    for cut in 1..=token.len() {
        ensure(signer.verify(&token[cut..]).is_err(), || {
            format!("accepted it without its first {cut} characters")
        })?;
        let kept = token.len() - cut;
        ensure(signer.verify(&token[..kept]).is_err(), || {
            format!("accepted its first {kept} characters")
        })?;
    }
    for added in ["A", "=", "==", "AAAA", " ", "\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        ensure(signer.verify(&format!("{token}{added}")).is_err(), || {
            format!("accepted {added:?} after it")
        })?;
        ensure(signer.verify(&format!("{added}{token}")).is_err(), || {
            format!("accepted {added:?} before it")
        })?;
    }
    Ok(())
}

/// Several keys can be active, so a key rotation invalidates no token.
///
/// # Errors
/// The violation, if any.
pub fn signs_with_the_newest_key_and_verifies_with_all(fixture: &dyn SignerFixture) -> RuleResult {
    let place = place("main", 17, 99)?;
    let (old, both, new) = (fixture.signer(&[1]), fixture.signer(&[2, 1]), fixture.signer(&[2]));
    ensure_eq(both.verify(old.sign(&place).as_str()), Ok(place), "a token of the older key")?;
    ensure_eq(
        new.verify(both.sign(&place).as_str()),
        Ok(place),
        "a token signed while both keys were active",
    )
}

/// A token signed with an inactive key is rejected.
///
/// # Errors
/// The violation, if any.
pub fn rejects_retired_and_unknown_keys(fixture: &dyn SignerFixture) -> RuleResult {
    let token = fixture.signer(&[1]).sign(&place("main", 17, 99)?);
    let answer = fixture.signer(&[2, 3]).verify(token.as_str());
    ensure_eq(answer, Err(TokenRejected::UnknownKey), "a token of a retired key")
}

/// Places that differ in any field have different tokens, and a token contains its queue, so that a
/// token of another queue is recognised.
///
/// # Errors
/// The violation, if any.
pub fn distinguishes_queues(fixture: &dyn SignerFixture) -> RuleResult {
    let signer = fixture.signer(&[1]);
    let other = signer.verify(signer.sign(&place("other", 17, 99)?).as_str())?;
    ensure_eq(other.queue, QueueId::parse("other")?, "the queue of a token")?;
    let mut tokens = Vec::new();
    for (queue, number, user) in
        [("main", 17, 99), ("other", 17, 99), ("main", 18, 99), ("main", 17, 98)]
    {
        tokens.push(signer.sign(&place(queue, number, user)?).as_str().to_owned());
    }
    let earlier = TokenClaims { incarnation: Incarnation::new(17)?, ..place("main", 17, 99)? };
    tokens.push(signer.sign(&earlier).as_str().to_owned());
    tokens.sort_unstable();
    tokens.dedup();
    ensure_eq(tokens.len(), 5, "different tokens of different places")
}
