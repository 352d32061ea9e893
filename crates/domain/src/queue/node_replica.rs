//! A node's replica of a queue: enough to check sessions without a call, and to restore a store
//! that lost data.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recovery::{Change, Memory, Witness};
use super::{
    Expiry, Incarnation, Incarnations, NodeId, QueueCounters, QueueNumber, QueueTime, TokenClaims,
    UserId, VacantNumbers,
};

/// A store's response to a node that refreshes its view.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Refresh {
    /// The generation, which rises with each doubt.
    pub generation: u64,
    /// The incarnations whose tokens the store accepts.
    pub incarnations: Incarnations,
    /// The number of changes so far.
    pub version: u64,
    /// The highest number issued and the highest number called.
    pub counters: QueueCounters,
    /// The queue's own time.
    pub at: QueueTime,
    /// Calls of numbers up to this one are over.
    pub calls_from: u64,
    /// The changes since the version the node knew.
    pub changes: Changes,
}

/// The changes since a version.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Changes {
    /// Each change, the oldest first.
    Since(Vec<Change>),
    /// Some are no longer kept, or the generation differs: the complete state.
    Whole(Whole),
}

/// The result of all changes to the numbers that still matter.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Whole {
    /// Numbers without a waiting person.
    pub vacant: VacantNumbers,
    /// Running sessions: the number, the user, and the end.
    pub sessions: Vec<(u64, UserId, QueueTime)>,
    /// Numbers of calls that were claimed or released. Those with a session may be among them.
    pub used: Vec<u64>,
}

/// A session as a node knows it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct KnownSession {
    user: UserId,
    until: QueueTime,
    /// Not if changes were missed since: then the session may have been released, and is used for
    /// replays only.
    is_certain: bool,
}

/// A node's replica of a queue. It follows the store's log of changes, which covers every place on
/// every node from its call on, and the node's own joins.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Replica {
    witness: Witness,
    session_ttl: Duration,
    sessions: BTreeMap<u64, KnownSession>,
    /// Released numbers, kept until no session of theirs can run, or longer while their call would
    /// be open otherwise.
    released: BTreeMap<u64, QueueTime>,
    vacant: VacantNumbers,
    /// Users who joined through this node, by number.
    holders: BTreeMap<u64, UserId>,
    dropped: u64,
}

/// The most holders remembered: more people than `max_waiting` allows by default.
const MOST_HOLDERS: usize = 1 << 20;

impl Replica {
    /// An empty replica of a queue whose sessions last at most `session_ttl`.
    #[must_use]
    pub fn new(node: NodeId, needs_checkpoint: bool, session_ttl: Duration) -> Self {
        let witness = Witness { node, needs_checkpoint, ..Witness::default() };
        Self { witness, session_ttl, ..Self::default() }
    }

    /// The marks that the node reports with each step.
    #[must_use]
    pub fn witness(&self) -> Witness {
        self.witness
    }

    /// The number of holders that did not fit. They keep their places by their tokens.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The numbers without a waiting person.
    #[must_use]
    pub fn vacant(&self) -> &VacantNumbers {
        &self.vacant
    }

    /// Raises the counters to those a store has reported.
    pub fn note_counters(&mut self, counters: QueueCounters) {
        self.witness.counters = self.witness.counters.raised_to(counters);
    }

    /// Raises the version to one a store has reported; each response about a place carries one.
    pub fn note_version(&mut self, version: u64) {
        self.witness.seen = self.witness.seen.max(version);
    }

    /// Adds an incarnation that a store has reported.
    pub fn note_incarnation(&mut self, incarnation: Incarnation) {
        self.witness.incarnations = self.witness.incarnations.with(incarnation);
    }

    /// Records who holds a number.
    pub fn note_holder(&mut self, user: UserId, number: QueueNumber) {
        if number.get() <= self.witness.calls_from {
            return;
        }
        self.holders.insert(number.get(), user);
        if self.holders.len() > MOST_HOLDERS {
            // Those at the back have the most time to show their tokens.
            self.holders.pop_last();
            self.dropped += 1;
        }
    }

    /// Applies the response to a refresh. If the queue's time went back, the store is another one,
    /// and remembered sessions keep the time they had left in the one before. Returns the entries
    /// to replay if the generation is new to the node; once they are replayed, call
    /// [`note_replayed`](Self::note_replayed).
    pub fn follow(&mut self, refresh: Refresh) -> Vec<Memory> {
        let is_new = refresh.generation != self.witness.generation;
        self.set_back(self.witness.time.since(refresh.at));
        let memories = if is_new { self.memories() } else { Vec::new() };
        self.witness.time = refresh.at;
        let serving = refresh.counters.serving();
        match refresh.changes {
            Changes::Since(changes) => changes.into_iter().for_each(|change| self.apply(change)),
            Changes::Whole(whole) => self.replace(whole, is_new, serving),
        }
        self.note_counters(refresh.counters);
        let witness = &mut self.witness;
        witness.generation = refresh.generation;
        witness.incarnations = witness.incarnations.union(refresh.incarnations);
        witness.version = refresh.version;
        witness.seen = witness.seen.max(refresh.version);
        witness.calls_from = refresh.calls_from;
        if is_new && memories.is_empty() {
            witness.replayed = refresh.generation;
        }
        self.pass(serving);
        // Sessions that ran to their end have used up their calls, which must not be open again
        // after a loss.
        let over = self.sessions.extract_if(.., |_, session| session.until <= refresh.at);
        self.released.extend(over.map(|(number, _)| (number, QueueTime::START)));
        self.released.retain(|number, until| *number > refresh.calls_from || *until > refresh.at);
        self.forget_holders_up_to(refresh.calls_from);
        memories
    }

    /// Records that all entries were replayed, for this generation.
    pub fn note_replayed(&mut self, generation: u64) {
        self.witness.replayed = generation;
    }

    /// Records the result of a claim through this node at a version, unless the log already covers
    /// later changes, or the result dates from before the replica's time.
    pub fn note_session(&mut self, place: &TokenClaims, until: Expiry, version: u64) {
        let number = place.number.get();
        self.note_version(version);
        // Only called numbers have a session.
        self.note_counters(QueueCounters::new(number, number));
        let is_of_this_time = until.now() >= self.witness.time;
        let is_news = version >= self.witness.version && !self.released.contains_key(&number);
        if is_of_this_time && is_news {
            let known = KnownSession { user: place.user, until: until.at, is_certain: true };
            self.sessions.insert(number, known);
        }
    }

    /// Records that this node is about to release a place, whose session may be over from here on.
    pub fn note_leaving(&mut self, place: &TokenClaims) {
        if let Some(known) = self.sessions.get_mut(&place.number.get()) {
            known.is_certain = false;
        }
    }

    /// Records that the store has released the place. The log says so too, but may be lost before
    /// this node reads it.
    pub fn note_left(&mut self, place: &TokenClaims, was_waiting: bool) {
        let number = place.number.get();
        self.apply(if was_waiting { Change::Abandoned(number) } else { Change::Released(number) });
    }

    /// The end of a place's session, if the session is certain to run at `now`.
    #[must_use]
    pub fn session(&self, place: &TokenClaims, now: QueueTime) -> Option<QueueTime> {
        let known = self.sessions.get(&place.number.get())?;
        let runs = known.is_certain && known.user == place.user && now < known.until;
        runs.then_some(known.until)
    }

    /// All entries to replay to a store that lost them: first the changes of places, then the
    /// holders of numbers. Holders who left or were passed are not among them.
    #[must_use]
    pub fn memories(&self) -> Vec<Memory> {
        let released = self.released.keys().map(|number| Change::Released(*number));
        let sessions = self.sessions.iter().map(|(number, known)| Change::Claimed {
            number: *number,
            user: known.user,
            until: known.until,
        });
        let skipped = self.vacant.ranges().map(|(from, to)| Change::Skipped { from, to });
        let abandoned = self.vacant.singles().map(Change::Abandoned);
        let changes = released.chain(sessions).chain(skipped).chain(abandoned).map(Memory::Change);
        let holds = |number| !self.vacant.contains(number) && !self.released.contains_key(&number);
        let holders = self.holders.iter().filter(|(number, _)| holds(**number));
        changes
            .chain(holders.map(|(number, user)| Memory::Holder { number: *number, user: *user }))
            .collect()
    }

    fn set_back(&mut self, by: Duration) {
        if by > Duration::ZERO {
            self.sessions.values_mut().for_each(|known| known.until = known.until.before(by));
            self.released.values_mut().for_each(|until| *until = until.before(by));
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            // The response to its release may have arrived first.
            Change::Claimed { number, .. } if self.released.contains_key(&number) => {}
            Change::Claimed { number, user, until } => {
                self.sessions.insert(number, KnownSession { user, until, is_certain: true });
            }
            Change::Released(number) => {
                self.sessions.remove(&number);
                self.holders.remove(&number);
                self.released.insert(number, self.witness.time + self.session_ttl);
            }
            Change::Abandoned(number) => {
                self.holders.remove(&number);
                self.vacant.insert(number);
            }
            Change::Skipped { from, to } => self.vacant.insert_range(from, to),
            Change::Found(number) => {
                self.vacant.remove(number);
            }
        }
    }

    /// Replaces the state with that of the store. Abandoned and released numbers stay so, even if
    /// the store has lost that. Numbers that a lost store had skipped stay skipped until the new
    /// one reports otherwise.
    fn replace(&mut self, whole: Whole, is_new: bool, serving: u64) {
        self.sessions.values_mut().for_each(|known| known.is_certain = false);
        self.pass(serving);
        for (number, user, until) in whole.sessions {
            self.apply(Change::Claimed { number, user, until });
        }
        for number in whole.used {
            let has_session = self.sessions.get(&number).is_some_and(|known| known.is_certain);
            if !has_session {
                self.apply(Change::Released(number));
            }
        }
        let old = std::mem::replace(&mut self.vacant, whole.vacant);
        self.vacant.insert_singles_of(&old);
        if is_new {
            for (from, to) in old.ranges() {
                self.vacant.insert_range(from, to);
            }
        }
    }

    /// Forgets holders whose calls are over.
    fn forget_holders_up_to(&mut self, mark: u64) {
        while let Some(first) = self.holders.first_entry()
            && *first.key() <= mark
        {
            first.remove();
        }
    }

    /// Abandoned numbers that are passed now have used up their calls, which must not be open
    /// again.
    fn pass(&mut self, serving: u64) {
        let passed = self.vacant.singles().take_while(|number| *number <= serving);
        let passed = passed.filter(|number| *number > self.witness.calls_from);
        self.released.extend(passed.map(|number| (number, QueueTime::START)));
        self.vacant.forget_singles_up_to(serving);
    }
}

#[cfg(test)]
mod tests;
