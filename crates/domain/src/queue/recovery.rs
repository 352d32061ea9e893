//! What nodes know about a queue, and what it proves about a store.
//!
//! A store can lose data without a sign: a promoted replica lacks the last writes, a restart loads
//! an older file, someone deletes everything. Its witnesses are the nodes, which report with each
//! step how far they have seen the queue come ([`Witness`]). Two rules follow; ADR 24 has the
//! reasons:
//!
//! - A store that is behind any witness has lost data.
//! - A store that cannot rule out a loss is in [`Doubt`]: it issues and calls no number until each
//!   possible witness has reported, or the pause for them is over.

use std::time::Duration;

use super::{Incarnations, NodeId, QueueCounters, QueueTime, UserId};

/// A process of a store's server: each restart and failover brings another one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ProcessId(pub u64);

/// How a node came to its current server process.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Arrival {
    /// It is the node's first, or the one before was lost or demoted.
    #[default]
    Anew,
    /// The one before handed the queue over while still a primary for others.
    HandedOver,
}

/// How far a node has seen a queue come. None of these marks goes back on a store that loses
/// nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Witness {
    /// The node.
    pub node: NodeId,
    /// The highest numbers issued and called.
    pub counters: QueueCounters,
    /// The generation of the store that the node follows. It rises with each doubt of the store.
    pub generation: u64,
    /// The generation for which the node has replayed all it remembers.
    pub replayed: u64,
    /// The number of changes of places that the node has followed.
    pub version: u64,
    /// The number of changes when the store last responded to the node. It exceeds `version` if the
    /// node has claimed or released places since its refresh.
    pub seen: u64,
    /// The store's time at the node's last refresh.
    pub time: QueueTime,
    /// Calls of numbers up to this one are over.
    pub calls_from: u64,
    /// The incarnations that the node knows.
    pub incarnations: Incarnations,
    /// Whether numbers are reserved in a checkpoint, so that the queue stays closed until that is
    /// read.
    pub needs_checkpoint: bool,
}

/// The same marks, of a store.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct StoreMarks {
    /// The highest numbers issued and called.
    pub counters: QueueCounters,
    /// The generation, which rises with each doubt.
    pub generation: u64,
    /// The number of changes of places so far.
    pub version: u64,
    /// The queue's own time.
    pub time: QueueTime,
}

impl StoreMarks {
    /// Whether the witness proves that this store has lost data.
    #[must_use]
    pub fn are_behind(&self, witness: &Witness) -> bool {
        witness.counters.last() > self.counters.last()
            || witness.counters.serving() > self.counters.serving()
            || witness.generation > self.generation
            || witness.seen.max(witness.version) > self.version
            || witness.time > self.time
    }
}

/// The state of a store that may have lost data and waits for its witnesses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Doubt {
    /// The store's marks when the doubt began. Witnesses of an earlier generation are compared with
    /// them.
    found: StoreMarks,
    /// Whether data is lost, or nothing can rule it out.
    is_lost: bool,
    /// Whether it began with another server process that had data, including the register of nodes.
    is_takeover: bool,
    /// When it ends, unless it ends early.
    until: QueueTime,
    /// The latest end that replays can extend it to.
    latest: QueueTime,
}

/// How a doubt ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Each known node has reported, and none knew more than the store.
    Intact,
    /// Data was lost, or a witness has not reported.
    MayLack,
}

impl Doubt {
    /// A node that replays extends the pause by this, so that its next batch still falls into it.
    pub const PIECE: Duration = Duration::from_millis(500);
    /// A pause is at most this many times as long as a pause without replays.
    const LONGEST: u32 = 6;

    /// A doubt that begins now, of a store with these marks.
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

    /// The store's marks when the doubt began.
    #[must_use]
    pub fn found(&self) -> StoreMarks {
        self.found
    }

    /// Records that a witness has proved a loss.
    pub fn prove_loss(&mut self) {
        self.is_lost = true;
    }

    /// Whether data is lost, or nothing can rule it out.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether it began with a restart or failover of a store that had data, including the register
    /// of nodes.
    #[must_use]
    pub fn is_takeover(&self) -> bool {
        self.is_takeover
    }

    /// Extends the doubt for a node that replays.
    pub fn extend(&mut self, now: QueueTime) {
        self.until = self.until.max(now + Self::PIECE).min(self.latest.max(self.until));
    }

    /// The outcome, if the doubt is over at `now`. `all_heard` says whether each node that the
    /// store knows has reported since it began.
    #[must_use]
    pub fn outcome(&self, now: QueueTime, all_heard: bool) -> Option<Outcome> {
        if all_heard && !self.is_lost {
            Some(Outcome::Intact)
        } else {
            (now >= self.until).then_some(Outcome::MayLack)
        }
    }
}

/// A store's record of a node.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NodeRecord {
    /// When it first refreshed its view.
    pub registered: QueueTime,
    /// When it last refreshed its view.
    pub seen: QueueTime,
    /// The generation it last reported in.
    pub received: u64,
    /// The generation for which it has replayed all it remembers.
    pub replayed: u64,
}

impl NodeRecord {
    /// A node not seen for this long counts as gone.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// A node issues no number until it has been registered for this long. By then the other nodes
    /// have seen time pass, so a store that lost the registration is behind one of them.
    pub const PROBATION: Duration = Duration::from_secs(1);

    /// Whether the node is still expected to report.
    #[must_use]
    pub fn is_live(&self, now: QueueTime) -> bool {
        now < self.seen + Self::TIMEOUT
    }

    /// Whether the node may issue numbers; `recovery` is the pause of a doubt.
    #[must_use]
    pub fn may_give(&self, now: QueueTime, recovery: Duration) -> bool {
        now >= self.registered + Self::PROBATION.min(recovery)
    }
}

/// A change of a token, as a store logs it for the nodes, and as nodes replay it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Change {
    /// A call became a session.
    Claimed {
        /// The number.
        number: u64,
        /// The user who holds it.
        user: UserId,
        /// When the session ends.
        until: QueueTime,
    },
    /// A call or session was released.
    Released(u64),
    /// A number was abandoned while it waited.
    Abandoned(u64),
    /// Numbers `(from, to]` were skipped: no holder of them is known.
    Skipped {
        /// The number before the first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The holder of a skipped number turned up.
    Found(u64),
}

/// An entry that a node remembers, and replays to a store that lost it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Memory {
    /// A change of a place.
    Change(Change),
    /// The holder of a number.
    Holder {
        /// The number.
        number: u64,
        /// The user who holds it.
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
        let store = StoreMarks {
            counters: QueueCounters::new(10, 5),
            generation: 2,
            version: 30,
            time: at(400),
        };
        let same = Witness {
            counters: store.counters,
            generation: 2,
            version: 30,
            time: at(400),
            ..Witness::default()
        };
        assert!(!store.are_behind(&same) && !store.are_behind(&Witness::default()));
        for more in [
            Witness { counters: QueueCounters::new(11, 5), ..same },
            Witness { counters: QueueCounters::new(10, 6), ..same },
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
        assert_eq!(doubt.outcome(at(1_999), true), None, "an unknown node may still report");
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
        let node = NodeRecord { registered: at(100), seen: at(2_000), received: 0, replayed: 0 };
        assert!(node.is_live(at(6_999)) && !node.is_live(at(7_000)));
        assert!(!node.may_give(at(1_099), RECOVERY) && node.may_give(at(1_100), RECOVERY));
        assert!(node.may_give(at(600), RECOVERY / 4) && node.may_give(at(100), Duration::ZERO));
    }
}
