//! Properties of all places, not only those of the contract suite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use adapter_token::{KeyRing, KeyUse, TokenKey};
use domain::Timestamp;
use domain::queue::{
    Incarnation, QueueId, QueueNumber, TokenClaims, TokenRejected, TokenSigner, UserId,
};
use proptest::prelude::*;

fn key(byte: u8) -> TokenKey {
    TokenKey::from_bytes(&[byte; 32]).unwrap()
}

fn ring(keys: &[u8]) -> KeyRing {
    KeyRing::new(keys.iter().map(|k| key(*k)).collect()).unwrap()
}

fn places() -> impl Strategy<Value = TokenClaims> {
    let numbers = (1..=Incarnation::MAX, 1..=QueueNumber::MAX, 1..=UserId::MAX);
    ("[a-z0-9-]{1,32}", numbers, 0..253_000_000_000_000_i64).prop_map(
        |(queue, (incarnation, number, user), millisecond)| TokenClaims {
            queue: QueueId::parse(&queue).unwrap(),
            incarnation: Incarnation::new(incarnation).unwrap(),
            number: QueueNumber::new(number).unwrap(),
            user: UserId::new(user).unwrap(),
            issued_at: Timestamp::from_millisecond(millisecond).unwrap(),
        },
    )
}

proptest! {
    #[test]
    fn a_token_round_trips_and_fits_into_a_header(place in places()) {
        let token = ring(&[1]).sign(&place);
        prop_assert_eq!(ring(&[1]).verify(token.as_str()), Ok(place));
        prop_assert!(token.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert!(token.as_str().len() <= 112);
    }

    #[test]
    fn every_single_bit_change_is_refused(place in places()) {
        let ring = ring(&[1, 2]);
        let token = ring.sign(&place).as_str().as_bytes().to_vec();
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // A header is ASCII; other bytes never reach the signer.
            if let Ok(text) = std::str::from_utf8(&changed) {
                prop_assert!(ring.verify(text).is_err(), "bit {} of {}", bit, text);
            }
        }
    }

    #[test]
    fn every_truncation_and_extension_is_refused(place in places(), tail in "[A-Za-z0-9_=-]{1,40}") {
        let ring = ring(&[1]);
        let token = ring.sign(&place).as_str().to_owned();
        for length in 0..token.len() {
            prop_assert!(ring.verify(&token[..length]).is_err());
        }
        prop_assert!(ring.verify(&(token.clone() + &tail)).is_err());
        prop_assert!(ring.verify(&(tail + &token)).is_err());
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in "\\PC{0,200}") {
        prop_assert!(ring(&[1]).verify(&text).is_err());
    }

    #[test]
    fn a_rotation_keeps_tokens_valid_until_the_old_key_is_removed(place in places()) {
        let token = ring(&[1]).sign(&place);
        prop_assert_eq!(ring(&[2, 1]).inspect(token.as_str()), Ok((place, KeyUse::Previous(key(1).id()))));
        prop_assert_eq!(ring(&[2]).verify(token.as_str()), Err(TokenRejected::UnknownKey));
    }
}

#[test]
fn a_token_of_the_main_queue_has_75_characters() {
    let place = TokenClaims {
        queue: QueueId::parse("main").unwrap(),
        incarnation: Incarnation::new(1).unwrap(),
        number: QueueNumber::new(1).unwrap(),
        user: UserId::new(1).unwrap(),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(ring(&[1]).sign(&place).as_str().len(), 75);
}

#[test]
fn an_unknown_version_has_its_own_error() {
    use base64::Engine as _;
    for version in [0_u8, 1, 3] {
        let text = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode([version; 56]);
        assert_eq!(ring(&[1]).verify(&text), Err(TokenRejected::UnknownVersion), "{version}");
    }
}
