//! What a node remembers of a line: enough to answer for sessions without asking, and to tell a Redis that has lost
//! something.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use domain::queue::{Departures, Line, QueueNumber, Session, UserId};
use domain::{Timestamp, queue::Place};
use tokio::time::Instant;

use crate::error::Failure;
use crate::reply::{number, timestamp};

/// Marks that travel with every question; a Redis that is behind them has lost something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    pub(crate) generation: u64,
    pub(crate) version: u64,
    /// Calls of numbers up to this stand no longer.
    pub(crate) standing_from: u64,
}

/// Joins remembered, at most: 16 bytes for each of a million people. Whoever joined first is called first and then in the
/// log, so the oldest give way.
const MOST_JOINED: usize = 1 << 20;

/// Sessions that are over are removed this often; until then their end tells.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A session and when it was last known to run.
#[derive(Clone, Copy, Debug)]
struct Known {
    user: UserId,
    until: Timestamp,
    /// Not since a gap: it may have been given back in there, so it is good for nothing but a testimony.
    is_certain: bool,
}

/// One node's memory. Fed by the log of changes, which tells of everything that happened to a place after it was called,
/// on whichever node.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    marks: Marks,
    line: Line,
    /// When the line was last seen, by our clock before asking and by the store's.
    seen: Option<(Instant, Timestamp)>,
    sessions: HashMap<u64, Known>,
    /// When those that are over were last removed.
    swept: Option<Timestamp>,
    /// Numbers given back whose call would stand otherwise.
    ended: HashSet<u64>,
    /// Numbers given back while waiting and not passed yet.
    left: BTreeSet<u64>,
    reported: Option<Departures>,
    /// Who joined through this node, and with which number; about in the order of the numbers.
    joined: VecDeque<(u64, UserId)>,
}

/// One change of a place, as the log has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// Nothing is known of what happened before.
    Gap,
    Claimed {
        number: u64,
        user: UserId,
        until: Timestamp,
    },
    Ended(u64),
    Left(u64),
}

impl Change {
    /// Reads `c:number:end:user`, `e:number`, `l:number` or `gap`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        const BAD: Failure = Failure::Corrupt("no change");
        let whole = |part: Option<&str>| part.and_then(|part| part.parse::<i64>().ok()).ok_or(BAD);
        let mut parts = text.split(':');
        match parts.next() {
            Some("gap") => Ok(Self::Gap),
            Some("e") => Ok(Self::Ended(number(whole(parts.next())?)?.get())),
            Some("l") => Ok(Self::Left(number(whole(parts.next())?)?.get())),
            Some("c") => {
                let number = number(whole(parts.next())?)?.get();
                let until = timestamp(whole(parts.next())?)?;
                let user = parts.next().and_then(|user| UserId::parse(user).ok()).ok_or(BAD)?;
                Ok(Self::Claimed { number, user, until })
            }
            _ => Err(BAD),
        }
    }
}

impl Memory {
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    pub(crate) fn line(&self) -> Line {
        self.line
    }

    /// Believes a line that a store has shown.
    pub(crate) fn note_line(&mut self, line: Line) {
        self.line = self.line.raised_to(line);
    }

    /// Remembers who joined through this node.
    pub(crate) fn note_joined(&mut self, user: UserId, number: QueueNumber) {
        if self.joined.len() >= MOST_JOINED {
            self.joined.pop_front();
        }
        self.joined.push_back((number.get(), user));
    }

    /// Follows the log up to `marks`, as of a look at the line that was begun at `asked`.
    pub(crate) fn follow(&mut self, changes: Vec<Change>, marks: Marks, at: Timestamp, asked: Instant) {
        for change in changes {
            self.apply(change);
        }
        let moved_on = marks.standing_from > self.marks.standing_from;
        self.marks = marks;
        self.seen = Some((asked, at));
        if self.swept.is_none_or(|swept| at >= swept + SWEEP_EVERY) {
            self.swept = Some(at);
            self.sessions.retain(|_, known| known.until > at);
        }
        if moved_on {
            self.ended.retain(|number| *number > marks.standing_from);
            // Whose call stands no longer is in the log if anywhere.
            while self.joined.pop_front_if(|(number, _)| *number <= marks.standing_from).is_some() {}
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Gap => {
                self.sessions.values_mut().for_each(|known| known.is_certain = false);
                self.left.clear();
                self.reported = None;
            }
            // The answer to giving it back may have been here first.
            Change::Claimed { number, .. } if self.ended.contains(&number) => {}
            Change::Claimed { number, user, until } => {
                self.sessions.insert(number, Known { user, until, is_certain: true });
            }
            Change::Ended(number) => {
                self.sessions.remove(&number);
                self.ended.insert(number);
            }
            Change::Left(number) => {
                self.left.insert(number);
                self.reported = None;
            }
        }
    }

    /// Takes in what a claim of our own gave, unless the log has told more by now.
    pub(crate) fn note_session(&mut self, session: Session, version: u64) {
        if version >= self.marks.version && !self.ended.contains(&session.number.get()) {
            let known = Known { user: session.user, until: session.until, is_certain: true };
            self.sessions.insert(session.number.get(), known);
        }
    }

    /// Takes in that a place was given back through this node.
    pub(crate) fn note_given_back(&mut self, place: &Place) {
        self.sessions.remove(&place.number.get());
    }

    /// Takes in that the store has taken it back. The log says so too, but may be lost before this node has read it.
    pub(crate) fn note_taken_back(&mut self, place: &Place, was_waiting: bool) {
        let number = place.number.get();
        self.apply(if was_waiting { Change::Left(number) } else { Change::Ended(number) });
    }

    /// The session of this place, if it is certain to run: the log was followed no longer than `fresh` ago.
    pub(crate) fn session(&self, place: &Place, fresh: Duration) -> Option<Session> {
        let (asked, at) = self.seen?;
        let age = asked.elapsed();
        let known = self.sessions.get(&place.number.get())?;
        // The line was seen after it was asked for, so this is no earlier than the store's time now.
        let runs = known.is_certain && age <= fresh && at + age < known.until && known.user == place.user;
        runs.then_some(Session { number: place.number, user: place.user, until: known.until })
    }

    /// The numbers given back while waiting, above `serving`.
    pub(crate) fn departures(&mut self, serving: u64) -> Departures {
        if self.left.first().is_some_and(|first| *first <= serving) {
            let waiting = self.left.split_off(&(serving + 1));
            // Their calls were used up from the start, and are not to stand again.
            self.ended.extend(std::mem::replace(&mut self.left, waiting));
            self.reported = None;
        }
        let left = &self.left;
        self.reported.get_or_insert_with(|| Departures::from_sorted(left.iter().copied().collect())).clone()
    }

    /// Everything a Redis that lost it has to be told, as its script for that reads it: what happened to places, then who
    /// holds which number. The entries are written as they are asked for, since there may be a million of them.
    pub(crate) fn testimony(&self) -> Testimony {
        let (left, ended) = (self.left.clone(), self.ended.clone());
        let standing_from = self.marks.standing_from;
        let sessions: Vec<_> = self.sessions.iter().map(|(number, known)| (*number, *known)).collect();
        let told_ended = ended.clone().into_iter().map(|number| format!("e:{number}"));
        let told_sessions = sessions
            .into_iter()
            .map(|(number, known)| format!("c:{number}:{}:{}", known.until.as_microsecond(), known.user));
        let told_left = left.clone().into_iter().map(|number| format!("l:{number}"));
        let holds =
            move |number: u64| number > standing_from && !left.contains(&number) && !ended.contains(&number);
        let holders = self.joined.clone().into_iter().filter(move |(number, _)| holds(*number));
        let told_holders = holders.map(|(number, user)| format!("h:{number}::{user}"));
        Box::new(told_ended.chain(told_sessions).chain(told_left).chain(told_holders))
    }
}

/// What a node has to tell, entry by entry.
pub(crate) type Testimony = Box<dyn Iterator<Item = String> + Send>;

#[cfg(test)]
mod tests {
    use super::*;
    use domain::queue::QueueId;

    const FRESH: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn place(number: u64, user: u64) -> Place {
        Place {
            queue: QueueId::parse("main").unwrap(),
            number: QueueNumber::new(number).unwrap(),
            user: UserId::new(user).unwrap(),
            issued_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn claimed(number: u64, user: u64, until: i64) -> Change {
        Change::Claimed { number, user: UserId::new(user).unwrap(), until: at(until) }
    }

    fn followed(memory: &mut Memory, changes: Vec<Change>, version: u64, standing_from: u64) {
        memory.follow(changes, Marks { generation: 0, version, standing_from }, at(1_000), Instant::now());
    }

    #[tokio::test]
    async fn a_session_is_known_from_the_log_until_it_ends_or_is_given_back() {
        let mut memory = Memory::default();
        followed(&mut memory, vec![claimed(1, 7, 2_000), claimed(2, 8, 2_000), claimed(3, 9, 999)], 3, 0);
        assert!(memory.session(&place(1, 7), FRESH).is_some());
        assert!(memory.session(&place(1, 8), FRESH).is_none(), "somebody else's");
        assert!(memory.session(&place(3, 9), FRESH).is_none(), "over");
        assert!(memory.session(&place(1, 7), Duration::ZERO).is_none(), "the log may have gone on");
        followed(&mut memory, vec![Change::Ended(1)], 4, 0);
        assert!(memory.session(&place(1, 7), FRESH).is_none());
        memory.note_given_back(&place(2, 8));
        assert!(memory.session(&place(2, 8), FRESH).is_none());
    }

    #[tokio::test]
    async fn a_claim_that_is_older_than_what_the_log_told_is_not_taken_in() {
        let mut memory = Memory::default();
        let session = |number| Session {
            number: QueueNumber::new(number).unwrap(),
            user: UserId::new(7).unwrap(),
            until: at(2_000),
        };
        // Claimed in change 1 and given back in change 2, both told before our own claim's answer came.
        followed(&mut memory, vec![claimed(1, 7, 2_000), Change::Ended(1)], 2, 0);
        memory.note_session(session(1), 1);
        assert!(memory.session(&place(1, 7), FRESH).is_none());
        memory.note_session(session(5), 3);
        assert!(memory.session(&place(5, 7), FRESH).is_some());
    }

    #[tokio::test]
    async fn after_a_gap_nothing_is_answered_that_may_have_changed_meanwhile() {
        let mut memory = Memory::default();
        followed(&mut memory, vec![claimed(1, 7, 2_000), Change::Left(50)], 2, 0);
        followed(&mut memory, vec![Change::Gap, Change::Left(60)], 9_000, 0);
        assert!(memory.session(&place(1, 7), FRESH).is_none());
        assert_eq!(memory.departures(10).count_up_to(100), 1);
        assert_eq!(
            memory.testimony().collect::<Vec<_>>(),
            ["c:1:2000000000:7", "l:60"],
            "a store that lost it may want it all the same"
        );
        followed(&mut memory, vec![claimed(1, 7, 2_000)], 9_001, 0);
        assert!(memory.session(&place(1, 7), FRESH).is_some());
    }

    #[tokio::test]
    async fn a_number_given_back_while_waiting_is_not_called_again_after_it_was_passed() {
        let mut memory = Memory::default();
        followed(&mut memory, vec![Change::Left(2), Change::Left(5)], 2, 0);
        memory.departures(3);
        let mut testimony: Vec<_> = memory.testimony().collect();
        testimony.sort();
        assert_eq!(testimony, ["e:2", "l:5"]);
    }

    #[tokio::test]
    async fn a_place_given_back_elsewhere_is_held_by_nobody() {
        let mut memory = Memory::default();
        memory.note_joined(UserId::new(7).unwrap(), QueueNumber::new(2).unwrap());
        memory.note_joined(UserId::new(7).unwrap(), QueueNumber::new(4).unwrap());
        followed(&mut memory, vec![Change::Left(2)], 1, 0);
        assert_eq!(memory.testimony().collect::<Vec<_>>(), ["l:2", "h:4::7"]);
    }

    #[tokio::test]
    async fn a_testimony_has_all_that_still_matters() {
        let mut memory = Memory::default();
        for (user, number) in [(1, 1), (2, 2), (3, 3), (4, 40)] {
            memory.note_joined(UserId::new(user).unwrap(), QueueNumber::new(number).unwrap());
        }
        followed(&mut memory, vec![claimed(1, 1, 2_000), Change::Ended(3), Change::Left(41)], 3, 0);
        // Calls up to 3 stand no longer: 2 lapsed, 1 has a session.
        followed(&mut memory, Vec::new(), 3, 3);
        let mut testimony: Vec<_> = memory.testimony().collect();
        testimony.sort();
        assert_eq!(testimony, ["c:1:2000000000:1", "h:40::4", "l:41"]);
    }

    #[test]
    fn changes_are_read_and_nonsense_is_not() {
        assert_eq!(Change::parse("e:12").unwrap(), Change::Ended(12));
        assert_eq!(Change::parse("l:12").unwrap(), Change::Left(12));
        assert_eq!(Change::parse("gap").unwrap(), Change::Gap);
        assert_eq!(Change::parse("c:12:2000000000:7").unwrap(), claimed(12, 7, 2_000));
        for bad in ["", "x:1", "e:", "e:0", "e:-1", "c:1:2", "c:1:x:7", "c:1:2:0"] {
            assert!(Change::parse(bad).is_err(), "{bad}");
        }
    }
}
