//! Every key of a line, and how long it lives: for ever, but for those that grow with the people.
//!
//! All keys of one queue carry its name as hash tag, so that a Redis Cluster keeps them in one slot and one script may
//! touch them all. Each script declares all of them, in this order.

use domain::queue::QueueId;

/// The keys of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Keys([String; 15]);

impl Keys {
    pub(crate) fn of(queue: QueueId) -> Self {
        let key = |name: &str| format!("boxoffice:{{{queue}}}:{name}");
        Self([
            // The two integers and what the steps need besides; some 500 bytes. Lives for ever: while it is there, no
            // number of this queue can be given twice.
            key("line"),
            // User to number, for those who hold a place. Like all that grows with the people, this
            // lives for thirty lifetimes of a token after the last refresh of any node, and so do
            // those marked (30).
            key("holders"),
            // Number to user, in blocks of 256 numbers: eight bytes a person (30).
            key("users"),
            // Numbers abandoned while they waited and not passed yet, by number (30).
            key("abandoned"),
            // Ranges `from:to` of numbers that a recovery skipped, by `to`.
            key("skipped"),
            // Numbers of those ranges whose holders turned up, by number.
            key("found"),
            // Those of them that the queue had passed by then and that wait to be called, by number.
            key("late"),
            // Those of them whose call stands: numbers by its end.
            key("recalled"),
            // Calls that stand, as ranges `from:to:end`, by `to`: one for each step that called somebody.
            key("calls"),
            // Numbers in those ranges that are claimed, released, or were abandoned before: by number.
            key("used"),
            // Sessions that run: numbers by their end.
            key("sessions"),
            // Number to user and start, for sessions and late ones.
            key("inside"),
            // Numbers that were given back, until no session they may have had can run: by that moment.
            key("given_back"),
            // The last ten thousand changes of places, for the nodes to follow (30).
            key("changes"),
            // The nodes that refresh their views, for a doubt to know whom to wait for (30). Never
            // empty: where it is gone, so is all else that expires.
            key("nodes"),
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
