//! Counts distinct users in bounded memory.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::Timestamp;
use domain::queue::UserId;

/// Size of the bitmap in bits, 32 KiB. At 100,000 distinct users a second about one in six is
/// missed, because another user has the same bit.
const BITS: usize = 1 << 18;

/// Counts each user at most once a second. It keeps a bitmap of the hashes of their ids, cleared
/// when a new second begins (linear counting: Whang, Vander-Zanden and Taylor, "A linear-time
/// probabilistic counting algorithm for database applications", 1990). Ids that share a bit count
/// as one. The hash is keyed, so clients cannot choose colliding ids.
///
/// May be shared by any number of threads. At the turn of a second some users may be counted twice.
#[derive(Debug)]
pub(crate) struct DistinctUsers {
    hasher: RandomState,
    seen: Box<[AtomicU64]>,
    second: AtomicI64,
    new: AtomicU64,
}

impl DistinctUsers {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            seen: std::iter::repeat_with(AtomicU64::default).take(BITS / 64).collect(),
            second: AtomicI64::new(i64::MIN),
            new: AtomicU64::new(0),
        }
    }

    /// Counts this user.
    pub(crate) fn note(&self, user: UserId, now: Timestamp) {
        let second = now.as_second();
        let is_new = self.second.load(Ordering::Relaxed) != second;
        if is_new && self.second.swap(second, Ordering::Relaxed) != second {
            self.seen.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        let hash = self.hasher.hash_one(user.get());
        let bit = usize::try_from(hash % BITS as u64).unwrap_or_default();
        let mask = 1 << (bit % 64);
        let before = self.seen[bit / 64].load(Ordering::Relaxed);
        if before & mask == 0 && self.seen[bit / 64].fetch_or(mask, Ordering::Relaxed) & mask == 0 {
            self.new.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Users counted since the last call.
    pub(crate) fn take_new(&self) -> u64 {
        self.new.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn each_user_counts_once_a_second() {
        let users = DistinctUsers::new();
        for id in [1, 2, 1, 1, 3, 2] {
            users.note(user(id), at(5_000));
        }
        assert_eq!(users.take_new(), 3);
        users.note(user(1), at(5_999));
        assert_eq!(users.take_new(), 0, "the same second");
        users.note(user(1), at(6_000));
        assert_eq!(users.take_new(), 1, "the next second");
    }

    #[test]
    fn of_a_hundred_thousand_users_a_second_most_are_counted() {
        let users = DistinctUsers::new();
        (1..=100_000).for_each(|id| users.note(user(id), at(0)));
        let counted = users.take_new();
        assert!((80_000..86_500).contains(&counted), "{counted}");
    }
}
