//! What nodes know of a queue, and what that proves about a store.
//!
//! A store can lose what it knew without a sign: a replica that takes over lacks the last writes, a restart reads an older
//! file, somebody deletes everything. Its witnesses are the nodes, which say with each step how far they have seen
//! the queue come ([`Witness`]). Two rules follow, and ADR 24 has the reasons:
//!
//! - A store that is behind any witness has lost something.
//! - A store that cannot rule out a loss is in [`Doubt`]: it gives no new number and calls nobody until each witness that
//!   may exist was heard, or the pause for them is over.

use std::time::Duration;

use super::{Incarnations, Line, QueueTime, UserId};

/// One node of the service, as long as its process runs.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u64);

/// One process of a store's server: another one after each restart and failover.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ProcessId(pub u64);

/// How a node came to the process it talks to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Arrival {
    /// It was its first, or the one before was lost or deposed.
    #[default]
    Anew,
    /// The one before, still in charge of others, handed the queue over.
    HandedOver,
}

/// How far a node has seen a queue come. None of these marks ever goes back on a store that keeps what it has.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Witness {
    /// Who says so.
    pub node: NodeId,
    /// The highest numbers given and called.
    pub line: Line,
    /// The generation of the store that the node follows; it counts the doubts of the store.
    pub generation: u64,
    /// The generation for which the node has replayed all it remembers.
    pub replayed: u64,
    /// Changes of places the node has followed.
    pub version: u64,
    /// Changes the store had when it answered the node last, whatever the question: more than it has followed where the
    /// node has claimed or given up places since.
    pub seen: u64,
    /// The store's time as of the node's last refresh.
    pub time: QueueTime,
    /// Calls of numbers up to this one stand no longer.
    pub calls_from: u64,
    /// The lives of the queue that the node knows of.
    pub incarnations: Incarnations,
    /// Whether numbers are reserved in a checkpoint, so that a doubt is not over before that was read.
    pub needs_checkpoint: bool,
}

/// The same marks, of a store.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct StoreMarks {
    /// The highest numbers given and called.
    pub line: Line,
    /// Doubts so far.
    pub generation: u64,
    /// Changes of places so far.
    pub version: u64,
    /// The queue's own time.
    pub time: QueueTime,
}

impl StoreMarks {
    /// Whether the witness proves that this store has lost something.
    #[must_use]
    pub fn are_behind(&self, witness: &Witness) -> bool {
        witness.line.last() > self.line.last()
            || witness.line.serving() > self.line.serving()
            || witness.generation > self.generation
            || witness.seen.max(witness.version) > self.version
            || witness.time > self.time
    }
}

/// A store that may have lost something waits for its witnesses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Doubt {
    /// What the store knew when it began: a witness of before is compared with that.
    found: StoreMarks,
    /// Whether something is lost, or nothing can rule it out.
    is_lost: bool,
    /// Whether it began with another server process that had data, and so a register of the nodes.
    is_takeover: bool,
    /// It lasts until here, unless it is over before.
    until: QueueTime,
    /// No replay makes it longer than this.
    latest: QueueTime,
}

/// How a doubt ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Each known node was heard, and none knew more than the store.
    Intact,
    /// Something was lost, or a witness was not heard.
    MayLack,
}

impl Doubt {
    /// A node that replays extends the pause by this, so that the next piece finds it still on.
    pub const PIECE: Duration = Duration::from_millis(500);
    /// A pause is at most this many times as long as a pause without replays.
    const LONGEST: u32 = 6;

    /// A doubt that begins now, of a store that knew this much.
    #[must_use]
    pub fn begin(found: StoreMarks, now: QueueTime, recovery: Duration, is_lost: bool) -> Self {
        let (until, latest) = (now + recovery, now + recovery * Self::LONGEST);
        Self { found, is_lost, is_takeover: false, until, latest }
    }

    /// The same doubt, begun by a restart or failover of a store that had data.
    #[must_use]
    pub fn of_takeover(self) -> Self {
        Self { is_takeover: true, ..self }
    }

    /// What the store knew when it began.
    #[must_use]
    pub fn found(&self) -> StoreMarks {
        self.found
    }

    /// A witness has proved a loss.
    pub fn prove_loss(&mut self) {
        self.is_lost = true;
    }

    /// Whether something is lost, or nothing can rule it out.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether it began with a restart or failover of a store that had data, and so a register of the nodes.
    #[must_use]
    pub fn is_takeover(&self) -> bool {
        self.is_takeover
    }

    /// A node replays what it remembers.
    pub fn extend(&mut self, now: QueueTime) {
        self.until = self.until.max(now + Self::PIECE).min(self.latest.max(self.until));
    }

    /// Whether it is over at `now`, and how; `all_heard` is whether each node that the store knows has reported since it
    /// began.
    #[must_use]
    pub fn outcome(&self, now: QueueTime, all_heard: bool) -> Option<Outcome> {
        if all_heard && !self.is_lost {
            Some(Outcome::Intact)
        } else {
            (now >= self.until).then_some(Outcome::MayLack)
        }
    }
}

/// A node that a store knows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NodeRecord {
    /// When it first refreshed its view.
    pub registered: QueueTime,
    /// When it last did.
    pub seen: QueueTime,
    /// The generation it has reported in.
    pub heard: u64,
    /// The generation for which it has replayed all it remembers.
    pub replayed: u64,
}

impl NodeRecord {
    /// A node not seen for so long is gone.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// A node gives no number before it has been registered for this long: by then the other nodes have seen
    /// time pass since, so that a store which lost the registration is behind one of them.
    pub const PROBATION: Duration = Duration::from_secs(1);

    /// Whether the node is still expected to report.
    #[must_use]
    pub fn is_live(&self, now: QueueTime) -> bool {
        now < self.seen + Self::TIMEOUT
    }

    /// Whether the node may give numbers; `recovery` is the pause of a doubt.
    #[must_use]
    pub fn may_give(&self, now: QueueTime, recovery: Duration) -> bool {
        now >= self.registered + Self::PROBATION.min(recovery)
    }
}

/// One change of a place, as a store logs it for the nodes, and as nodes replay it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Change {
    /// A call became a session.
    Claimed {
        /// The number.
        number: u64,
        /// Whose it is.
        user: UserId,
        /// When the session ends.
        until: QueueTime,
    },
    /// A call or session was given back.
    Released(u64),
    /// A number was given back while it waited.
    Abandoned(u64),
    /// Numbers `(from, to]` were skipped: nobody is known to have been given them.
    Skipped {
        /// The number before the first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The holder of a skipped number has turned up.
    Found(u64),
}

/// One thing a node remembers and replays to a store that lost it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Memory {
    /// What happened to a place.
    Change(Change),
    /// Who was given a number.
    Holder {
        /// The number.
        number: u64,
        /// Whose it is.
        user: UserId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECOVERY: Duration = Duration::from_secs(2);

    fn at(ms: u64) -> QueueTime {
        QueueTime::from_micros(ms * 1_000)
    }

    #[test]
    fn a_store_is_behind_a_witness_that_knows_more_of_anything() {
        let store =
            StoreMarks { line: Line::new(10, 5), generation: 2, version: 30, time: at(400) };
        let same = Witness {
            line: store.line,
            generation: 2,
            version: 30,
            time: at(400),
            ..Witness::default()
        };
        assert!(!store.are_behind(&same) && !store.are_behind(&Witness::default()));
        for more in [
            Witness { line: Line::new(11, 5), ..same },
            Witness { line: Line::new(10, 6), ..same },
            Witness { generation: 3, ..same },
            Witness { version: 31, ..same },
            Witness { seen: 31, ..same },
            Witness { time: at(401), ..same },
        ] {
            assert!(store.are_behind(&more), "{more:?}");
        }
    }

    #[test]
    fn a_doubt_ends_early_only_when_all_were_heard_and_nothing_is_lost() {
        let mut doubt = Doubt::begin(StoreMarks::default(), at(0), RECOVERY, false);
        assert_eq!(doubt.outcome(at(0), true), Some(Outcome::Intact));
        assert_eq!(doubt.outcome(at(1_999), false), None);
        assert_eq!(doubt.outcome(at(2_000), false), Some(Outcome::MayLack));
        assert!(!doubt.is_lost());
        doubt.prove_loss();
        assert!(doubt.is_lost());
        assert_eq!(doubt.outcome(at(1_999), true), None, "a node that is not known may still come");
        assert_eq!(doubt.outcome(at(2_000), true), Some(Outcome::MayLack));
    }

    #[test]
    fn replays_extend_a_doubt_by_half_a_second_each_up_to_a_bound() {
        let mut doubt = Doubt::begin(StoreMarks::default(), at(0), RECOVERY, true);
        doubt.extend(at(100));
        assert_eq!(doubt.outcome(at(2_000), true), Some(Outcome::MayLack), "never shorter");
        doubt.extend(at(1_900));
        assert_eq!(doubt.outcome(at(2_399), true), None);
        assert_eq!(doubt.outcome(at(2_400), true), Some(Outcome::MayLack));
        for ms in (0..60_000).step_by(100) {
            doubt.extend(at(ms));
        }
        assert_eq!(doubt.outcome(at(11_999), true), None);
        assert_eq!(doubt.outcome(at(12_000), true), Some(Outcome::MayLack), "six pauses at most");
    }

    #[test]
    fn a_node_is_live_for_five_seconds_and_on_probation_for_one() {
        let node = NodeRecord { registered: at(100), seen: at(2_000), heard: 0, replayed: 0 };
        assert!(node.is_live(at(6_999)) && !node.is_live(at(7_000)));
        assert!(!node.may_give(at(1_099), RECOVERY) && node.may_give(at(1_100), RECOVERY));
        assert!(node.may_give(at(600), RECOVERY / 4) && node.may_give(at(100), Duration::ZERO));
    }
}
