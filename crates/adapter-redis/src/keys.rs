//! Every key of a line, and how long it lives.
//!
//! All keys of one queue carry its name as hash tag, so that a Redis Cluster keeps them in one slot and one script may
//! touch them all. Each script declares all of them, in this order.

use domain::queue::QueueId;

/// The keys of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Keys([String; 7]);

impl Keys {
    pub(crate) fn of(queue: QueueId) -> Self {
        let key = |name: &str| format!("boxoffice:{{{queue}}}:{name}");
        Self([
            // The two integers and what the steps need besides; some 300 bytes. Lives for ever: while it is there, no
            // number of this queue can be given twice.
            key("line"),
            // All others live as long as tokens do after the last look any node took; see `lifetime` in `advance.lua`.
            // User to number, for whoever holds a place: the only thing kept of a waiting person.
            key("holders"),
            // Numbers given back while waiting and not passed yet, by number.
            key("left"),
            // Calls that stand, as ranges `from:to:end`, by `to`: one for each step that called somebody.
            key("calls"),
            // Numbers in those ranges that are claimed, given back, or were left before: by number.
            key("used"),
            // Sessions that run: numbers by their end.
            key("sessions"),
            // The last ten thousand changes of places, for the nodes to follow.
            key("changes"),
        ])
    }

    /// The key that names the slot.
    pub(crate) fn line(&self) -> &str {
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
        assert_eq!(keys.line(), "boxoffice:{rock-2026}:line");
    }
}
