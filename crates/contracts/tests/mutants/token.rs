//! Token signers with seeded faults: plain text with a checksum, each wrong in one way.

use contracts::token::{RULES, SignerFixture};
use domain::Timestamp;
use domain::queue::{
    Incarnation, QueueId, QueueNumber, TokenClaims, TokenRejected, TokenSigner, UserId,
    WaitingToken,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    NumbersOf32Bits,
    IncarnationCut,
    ChecksumIgnored,
    TailIgnored,
    OnlyNewestKeyVerifies,
    AnyKeyVerifies,
    QueueLeftOut,
}

const FAULTS: &[(&str, Fault)] = &[
    ("verifies_its_own_tokens", Fault::NumbersOf32Bits),
    ("verifies_its_own_tokens", Fault::IncarnationCut),
    ("rejects_every_single_bit_change", Fault::ChecksumIgnored),
    ("rejects_truncation_and_extension", Fault::TailIgnored),
    ("signs_with_the_newest_key_and_verifies_with_all", Fault::OnlyNewestKeyVerifies),
    ("rejects_retired_and_unknown_keys", Fault::AnyKeyVerifies),
    ("distinguishes_queues", Fault::QueueLeftOut),
];

struct Plain {
    keys: Vec<u8>,
    fault: Fault,
}

fn checksum(text: &str, key: u8) -> u64 {
    text.bytes().fold(u64::from(key) + 0x9e37_79b9_7f4a_7c15, |sum, b| {
        (sum.rotate_left(9) ^ u64::from(b)).wrapping_mul(0xff51_afd7_ed55_8ccd)
    })
}

impl TokenSigner for Plain {
    fn sign(&self, place: &TokenClaims) -> WaitingToken {
        let number = match self.fault {
            Fault::NumbersOf32Bits => place.number.get() & 0xffff_ffff,
            _ => place.number.get(),
        };
        let queue = if self.fault == Fault::QueueLeftOut { "main" } else { place.queue.as_str() };
        let (incarnation, issued_at) = (place.incarnation.get(), place.issued_at.as_millisecond());
        let incarnation =
            if self.fault == Fault::IncarnationCut { incarnation >> 1 << 1 } else { incarnation };
        let text =
            format!("{}.{queue}.{incarnation}.{number}.{}.{issued_at}", self.keys[0], place.user);
        WaitingToken::new(format!("{text}.{:016x}", checksum(&text, self.keys[0])))
    }

    fn verify(&self, text: &str) -> Result<TokenClaims, TokenRejected> {
        let parts: Vec<_> = text.split('.').collect();
        let ends_well =
            parts.last().is_some_and(|sum| sum.len() == 16 || self.fault == Fault::TailIgnored);
        let [key, queue, incarnation, number, user, time, sum] = parts[..] else {
            return Err(TokenRejected::Malformed);
        };
        let key: u8 = key.parse().map_err(|_| TokenRejected::Malformed)?;
        let live = match self.fault {
            Fault::OnlyNewestKeyVerifies => self.keys[0] == key,
            Fault::AnyKeyVerifies => true,
            _ => self.keys.contains(&key),
        };
        if !live || !ends_well {
            return Err(TokenRejected::UnknownKey);
        }
        let signed = text.rsplit_once('.').ok_or(TokenRejected::Malformed)?.0;
        let expected = format!("{:016x}", checksum(signed, key));
        if !sum.starts_with(&expected) && self.fault != Fault::ChecksumIgnored {
            return Err(TokenRejected::BadSignature);
        }
        let number_of = |text: &str| text.parse::<u64>().map_err(|_| TokenRejected::Malformed);
        Ok(TokenClaims {
            queue: QueueId::parse(queue).map_err(|_| TokenRejected::Malformed)?,
            incarnation: Incarnation::new(number_of(incarnation)?)
                .map_err(|_| TokenRejected::Malformed)?,
            number: QueueNumber::new(number_of(number)?).map_err(|_| TokenRejected::Malformed)?,
            user: UserId::new(number_of(user)?).map_err(|_| TokenRejected::Malformed)?,
            issued_at: i64::try_from(number_of(time)?)
                .ok()
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .ok_or(TokenRejected::Malformed)?,
        })
    }
}

struct Mutant(Fault);

impl SignerFixture for Mutant {
    fn signer(&self, keys: &[u8]) -> Box<dyn TokenSigner> {
        Box::new(Plain { keys: keys.to_vec(), fault: self.0 })
    }
}

#[test]
fn every_token_rule_detects_its_fault() {
    for (name, rule) in RULES {
        let mut faults = FAULTS.iter().filter(|(of, _)| of == name).peekable();
        assert!(faults.peek().is_some(), "no mutant for {name}");
        for (_, fault) in faults {
            assert!(rule(&Mutant(*fault)).is_err(), "{name} did not detect {fault:?}");
        }
        if let Err(violation) = rule(&Mutant(Fault::None)) {
            panic!("{name} fails on a correct signer: {violation}");
        }
    }
}
