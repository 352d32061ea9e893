//! The keys of a queue and their lifetimes. Keys that grow with the number of users expire; the
//! others do not.
//!
//! All keys of a queue carry its name as hash tag, so that a Redis Cluster keeps them in one slot
//! and one script may use them all. Each script declares all of them, in this order.

use domain::queue::QueueId;

/// The keys of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Keys([String; 15]);

impl Keys {
    pub(crate) fn of(queue: QueueId) -> Self {
        let key = |name: &str| format!("boxoffice:{{{queue}}}:{name}");
        Self([
            // The two counters and the other fields the steps need; some 500 bytes. Never expires:
            // while it exists, no number of this queue can be given twice.
            key("line"),
            // User to number, for users who hold a place. Like every key marked (30), this expires
            // thirty token lifetimes after the last refresh of any node.
            key("holders"),
            // Number to user, in blocks of 256 numbers: eight bytes a user (30).
            key("users"),
            // Numbers abandoned while they waited and not passed yet, by number (30).
            key("abandoned"),
            // Ranges `from:to` of skipped numbers, by `to`.
            key("skipped"),
            // Numbers of those ranges whose holders turned up, by number.
            key("found"),
            // Found numbers that the queue had already passed and that wait to be called, by
            // number.
            key("late"),
            // Found numbers with an open call, by its end.
            key("recalled"),
            // Open calls as ranges `from:to:end`, by `to`: one for each step that called people.
            key("calls"),
            // Numbers in those ranges that are claimed, released, or were abandoned before: by
            // number.
            key("used"),
            // Running sessions: numbers by their end.
            key("sessions"),
            // Number to user and start, for sessions and late numbers.
            key("inside"),
            // Released numbers, by the moment after which no session of theirs can run.
            key("given_back"),
            // The last ten thousand changes of places, for nodes to follow (30).
            key("changes"),
            // The nodes that refresh their views, for a doubt to wait for (30). Never empty: if
            // this key is gone, so are the other keys that expire.
            key("nodes"),
        ])
    }

    /// The key that determines the slot.
    pub(crate) fn counters(&self) -> &str {
        &self.0[0]
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_queue_share_its_hash_tag() {
        let keys = Keys::of(QueueId::parse("rock-2026").unwrap());
        assert!(keys.all().iter().all(|key| key.starts_with("boxoffice:{rock-2026}:")));
        assert_eq!(keys.counters(), "boxoffice:{rock-2026}:line");
    }
}
