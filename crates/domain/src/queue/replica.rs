//! What a node remembers of a queue: enough to answer for sessions without a call, and to restore a store that lost
//! something.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recovery::{Change, Memory, NodeId, Witness};
use super::{
    Expiry, Incarnation, Incarnations, Line, Place, QueueNumber, QueueTime, UserId, VacantNumbers,
};

/// What a store answers when a node refreshes its view.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Refresh {
    /// Doubts so far.
    pub generation: u64,
    /// The lives whose tokens the store accepts.
    pub incarnations: Incarnations,
    /// Changes so far.
    pub version: u64,
    /// The two integers.
    pub line: Line,
    /// The queue's own time.
    pub at: QueueTime,
    /// Calls of numbers up to this one stand no longer.
    pub calls_from: u64,
    /// What has changed since the version the node knew.
    pub changes: Changes,
}

/// What has changed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Changes {
    /// Each change, the oldest first.
    Since(Vec<Change>),
    /// Some are no longer kept, or the generation is another: all that the store knows.
    Whole(Whole),
}

/// All that changes would have told of the numbers that still matter.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Whole {
    /// Numbers that nobody waits behind.
    pub vacant: VacantNumbers,
    /// Sessions that run: the number, whose it is, and when it ends.
    pub sessions: Vec<(u64, UserId, QueueTime)>,
    /// Numbers of calls that stand or stood, which are claimed or released. Those that have a session
    /// may be among them.
    pub used: Vec<u64>,
}

/// A session, as a node knows it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct KnownSession {
    user: UserId,
    until: QueueTime,
    /// Not since changes were missed: it may have been given back meanwhile, so it is good for a replay only.
    is_certain: bool,
}

/// One node's memory of one queue. Fed by the store's log of changes, which has all that happens to a place once it is
/// called, on any node, and by the node's own joins.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Replica {
    witness: Witness,
    session_ttl: Duration,
    sessions: BTreeMap<u64, KnownSession>,
    /// Numbers released, until no session they had can run; longer while their call would stand otherwise.
    released: BTreeMap<u64, QueueTime>,
    vacant: VacantNumbers,
    /// Who joined through this node, by number: people, not answers.
    holders: BTreeMap<u64, UserId>,
    dropped: u64,
}

/// Holders remembered, at most: more people than `max_waiting` allows by default.
const MOST_HOLDERS: usize = 1 << 20;

impl Replica {
    /// A node that knows nothing yet, of a queue whose sessions last this long at most.
    #[must_use]
    pub fn new(node: NodeId, needs_checkpoint: bool, session_ttl: Duration) -> Self {
        let witness = Witness { node, needs_checkpoint, ..Witness::default() };
        Self { witness, session_ttl, ..Self::default() }
    }

    /// What the node says with each step.
    #[must_use]
    pub fn witness(&self) -> Witness {
        self.witness
    }

    /// Holders that did not fit. They keep their places by their tokens.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The numbers nobody waits behind.
    #[must_use]
    pub fn vacant(&self) -> &VacantNumbers {
        &self.vacant
    }

    /// Believes numbers that a store has shown.
    pub fn note_line(&mut self, line: Line) {
        self.witness.line = self.witness.line.raised_to(line);
    }

    /// Believes a version that a store has shown: each answer about a place tells one.
    pub fn note_version(&mut self, version: u64) {
        self.witness.seen = self.witness.seen.max(version);
    }

    /// Believes a life of the queue that a store has shown.
    pub fn note_incarnation(&mut self, incarnation: Incarnation) {
        self.witness.incarnations = self.witness.incarnations.with(incarnation);
    }

    /// Remembers who holds a number.
    pub fn note_holder(&mut self, user: UserId, number: QueueNumber) {
        if number.get() <= self.witness.calls_from {
            return;
        }
        self.holders.insert(number.get(), user);
        if self.holders.len() > MOST_HOLDERS {
            // Those at the back have the longest time to show their tokens.
            self.holders.pop_last();
            self.dropped += 1;
        }
    }

    /// Takes in the answer to a refresh. Where the queue's time has gone back, the store is another, and what is remembered has
    /// as much time left as it had in the one before. Returns what the store has to be told, when this is a generation the node had
    /// not heard of; once that is done, [`note_replayed`](Self::note_replayed).
    pub fn follow(&mut self, refresh: Refresh) -> Vec<Memory> {
        let is_new = refresh.generation != self.witness.generation;
        self.set_back(self.witness.time.since(refresh.at));
        let memories = if is_new { self.memories() } else { Vec::new() };
        self.witness.time = refresh.at;
        let serving = refresh.line.serving();
        match refresh.changes {
            Changes::Since(changes) => changes.into_iter().for_each(|change| self.apply(change)),
            Changes::Whole(whole) => self.replace(whole, is_new, serving),
        }
        self.note_line(refresh.line);
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
        // Those who were inside to the end have used their calls up, which must not stand again after a loss.
        let over = self.sessions.extract_if(.., |_, session| session.until <= refresh.at);
        self.released.extend(over.map(|(number, _)| (number, QueueTime::START)));
        self.released.retain(|number, until| *number > refresh.calls_from || *until > refresh.at);
        self.forget_holders_up_to(refresh.calls_from);
        memories
    }

    /// All was told to the store, for this generation.
    pub fn note_replayed(&mut self, generation: u64) {
        self.witness.replayed = generation;
    }

    /// Takes in what a claim of this node gave at a version, unless the log has told more by now, or the answer is of another
    /// time than the one the node reckons in.
    pub fn note_session(&mut self, place: &Place, until: Expiry, version: u64) {
        let number = place.number.get();
        self.note_version(version);
        // Only who was called has a session.
        self.note_line(Line::new(number, number));
        let is_of_this_time = until.now() >= self.witness.time;
        let is_news = version >= self.witness.version && !self.released.contains_key(&number);
        if is_of_this_time && is_news {
            let known = KnownSession { user: place.user, until: until.at, is_certain: true };
            self.sessions.insert(number, known);
        }
    }

    /// A place is about to be given up through this node: from here on its session may be over.
    pub fn note_leaving(&mut self, place: &Place) {
        if let Some(known) = self.sessions.get_mut(&place.number.get()) {
            known.is_certain = false;
        }
    }

    /// The store has taken the place back. The log says so too, but may be lost before this node reads it.
    pub fn note_left(&mut self, place: &Place, was_waiting: bool) {
        let number = place.number.get();
        self.apply(if was_waiting { Change::Abandoned(number) } else { Change::Released(number) });
    }

    /// When the session of a place ends, if it is certain to run at `now`.
    #[must_use]
    pub fn session(&self, place: &Place, now: QueueTime) -> Option<QueueTime> {
        let known = self.sessions.get(&place.number.get())?;
        let runs = known.is_certain && known.user == place.user && now < known.until;
        runs.then_some(known.until)
    }

    /// All that a store which lost it has to be told: what happened to places first, then who holds which number. Nobody
    /// who left or was passed is in it as a holder.
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
            // The answer to releasing it may have been here first.
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

    /// Takes all from the store. A number that was abandoned or released stays so, also where the store has lost that; and
    /// what a lost store had skipped is skipped until it says otherwise.
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

    /// Their calls stand no longer.
    fn forget_holders_up_to(&mut self, mark: u64) {
        while let Some(first) = self.holders.first_entry()
            && *first.key() <= mark
        {
            first.remove();
        }
    }

    /// Numbers that were abandoned and are passed now: their calls are used up, and must not stand again.
    fn pass(&mut self, serving: u64) {
        let passed = self.vacant.singles().take_while(|number| *number <= serving);
        let passed = passed.filter(|number| *number > self.witness.calls_from);
        self.released.extend(passed.map(|number| (number, QueueTime::START)));
        self.vacant.forget_singles_up_to(serving);
    }
}

#[cfg(test)]
mod tests;
