//! Bounds about the queue that the answers prove: lower and upper bounds of `serving`, and how long
//! a place was valid.

use std::collections::HashMap;

use super::history::History;
use super::request_and_response::{Exchange, Millis, RequestKind, State};
use crate::settings::AuditSettings;

/// `serving` was `mark` or higher at every moment from `by` on.
pub(super) struct LowerBound<'a> {
    pub(super) by: Millis,
    pub(super) mark: u64,
    pub(super) shown_by: &'a Exchange,
}

/// `serving` was `most` or lower at the moment `at`, and so at every earlier moment. The node that
/// answered knew everything that any answer had shown by `known`.
pub(super) struct UpperBound<'a> {
    pub(super) at: Millis,
    pub(super) known: Millis,
    pub(super) most: u64,
    pub(super) shown_by: &'a Exchange,
}

/// The bounds about one number.
pub(super) struct Place<'a> {
    /// The first answered join that returned the number.
    pub(super) given_in: Option<&'a Exchange>,
    /// The number was not assigned before this.
    pub(super) given_from: Millis,
    /// It may have been released from this moment on.
    pub(super) left_from: Option<Millis>,
    /// The first leave answered with 204.
    pub(super) left_in: Option<&'a Exchange>,
    /// An answer may have reported its end from this moment on.
    over_from: Option<Millis>,
    /// The call may have been claimed from this moment on.
    claimed_from: Option<Millis>,
    /// The first answered request for dates that was granted.
    pub(super) admitted: Option<&'a Exchange>,
    /// The first answer that showed the number to be called.
    called_by: Option<Millis>,
    /// The request sent last whose answer showed that the place held a slot.
    pub(super) held_in: Option<&'a Exchange>,
}

/// The bounds of a whole history, sorted.
pub(super) struct Bounds<'a> {
    pub(super) history: &'a History,
    pub(super) places: HashMap<u64, Place<'a>>,
    /// From reported positions, sorted by `by`; `mark` only grows.
    pub(super) reached: Vec<LowerBound<'a>>,
    /// From granted requests for dates, sorted by `by`; `mark` only grows.
    pub(super) reached_by_entry: Vec<LowerBound<'a>>,
    /// Sorted by `at`, not by `known`.
    pub(super) not_passed: Vec<UpperBound<'a>>,
    /// The numbers that may have been released while waiting, sorted.
    departed: Vec<u64>,
    /// For each `most` of `not_passed`, in order, the latest `at` of it and all lower ones.
    called_after: Vec<(u64, Millis)>,
    /// How far a view may lag behind the queue.
    view_lag: Millis,
    /// How much later than another node a node may learn a fact.
    pub(super) lag: Millis,
    claim_within: Millis,
    session_ttl: Millis,
}

impl<'a> Bounds<'a> {
    pub(super) fn of(history: &'a History, settings: &AuditSettings) -> Self {
        let places = places(&history.records);
        let departed = departed(&places);
        // The view's age is measured in whole milliseconds too.
        let view_lag = millis(settings.stale_after).saturating_add(1);
        let mut bounds = Self {
            history,
            places,
            reached: Vec::new(),
            reached_by_entry: Vec::new(),
            not_passed: Vec::new(),
            departed,
            called_after: Vec::new(),
            view_lag,
            lag: if settings.one_node { 0 } else { view_lag },
            claim_within: millis(settings.claim_within),
            session_ttl: millis(settings.session_ttl),
        };
        for record in &history.records {
            bounds.look(record);
        }
        bounds.read_joins();
        bounds.put_in_order();
        bounds
    }

    /// Records what one answer shows of the queue.
    ///
    /// A called number has been reached. A number that waits at a position has `number - position`
    /// numbers before the people ahead, minus the people ahead who released theirs. A node may not
    /// have counted those yet, so the true value lies between the two.
    fn look(&mut self, record: &'a Exchange) {
        if record.shows_call() {
            let reached = LowerBound { by: record.by(), mark: record.number, shown_by: record };
            if record.what == RequestKind::Dates {
                self.reached_by_entry.push(reached);
            } else {
                self.reached.push(reached);
            }
        }
        let is_refused = record.is(RequestKind::Dates, 403);
        let is_waiting = record.tells_place() && record.state == Some(State::Waiting);
        if !is_refused && !is_waiting {
            return;
        }
        let position = record.position.filter(|_| is_waiting).unwrap_or_default();
        let most = record.number.saturating_sub(position.max(1));
        if !record.is_stale {
            // A join is answered from the step that assigned the number, everything else from the
            // node's view.
            let is_fresh = record.what == RequestKind::Join;
            let back = |lag| record.sent.saturating_sub(if is_fresh { 0 } else { lag });
            let (at, known) = (back(self.view_lag), back(self.lag));
            self.not_passed.push(UpperBound { at, known, most, shown_by: record });
        }
        if position > 0 && most > 0 {
            let ahead_left = self.departed_up_to(record.number.saturating_sub(1));
            let mark = self.number_of_nth_person(most.saturating_sub(ahead_left));
            self.reached.push(LowerBound { by: record.by(), mark, shown_by: record });
        }
    }

    /// No number is called before it is assigned.
    fn read_joins(&mut self) {
        let given =
            self.places.iter().filter_map(|(number, place)| Some((number, place, place.given_in?)));
        let not_passed = given.map(|(number, place, join)| UpperBound {
            at: place.given_from,
            known: place.given_from,
            most: number.saturating_sub(1),
            shown_by: join,
        });
        self.not_passed.extend(not_passed);
    }

    fn put_in_order(&mut self) {
        keep_rising(&mut self.reached);
        keep_rising(&mut self.reached_by_entry);
        let mut latest = Millis::MIN;
        self.not_passed.sort_by_key(|fact| fact.most);
        for fact in &self.not_passed {
            latest = latest.max(fact.at);
            self.called_after.push((fact.most, latest));
        }
        self.not_passed.sort_by_key(|fact| fact.at);
    }

    /// How many numbers up to `number` may have been released while waiting.
    pub(super) fn departed_up_to(&self, number: u64) -> u64 {
        self.departed.partition_point(|&departed| departed <= number) as u64
    }

    /// The lowest number up to which `nth` numbers were not released while waiting.
    fn number_of_nth_person(&self, nth: u64) -> u64 {
        if nth == 0 {
            return 0;
        }
        let (mut low, mut high) = (0, self.departed.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let people_before = self.departed[middle].saturating_sub(middle as u64 + 1);
            if people_before < nth {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        nth.saturating_add(low as u64)
    }

    /// The first answer to any client that shows this number as called.
    pub(super) fn called(&self, number: u64) -> Option<&LowerBound<'a>> {
        let first =
            |reached: &'_ [LowerBound<'a>]| reached.partition_point(|fact| fact.mark < number);
        let reported = self.reached.get(first(&self.reached));
        let entered = self.reached_by_entry.get(first(&self.reached_by_entry));
        reported.into_iter().chain(entered).min_by_key(|fact| fact.by)
    }

    /// Whether the place was certainly valid when this request about it was executed: it was
    /// assigned, cannot have been released, and neither call nor session can have expired.
    ///
    /// A call lapses `claim_within` after it is made, even if its person learns of it late, so the
    /// decisive moment is the last at which the number was seen uncalled. A session begins at the
    /// first request for dates that was not certainly refused. If one was granted before, there is
    /// a session; if none can have been, there is none; otherwise there may be either. A store may
    /// round a moment by a millisecond.
    pub(super) fn stands(&self, number: u64, at: &Exchange) -> bool {
        let Some(place) = self.places.get(&number) else { return false };
        let called_from = place.given_from.max(self.not_called_before(number));
        let lapses = called_from.saturating_add(self.claim_within);
        let claimed_from = place.claimed_from.filter(|&from| from <= at.answered);
        let ends = claimed_from.map(|from| from.max(called_from).saturating_add(self.session_ttl));
        let is_admitted = place.admitted.is_some_and(|granted| granted.precedes(at));
        let earliest_end = match ends {
            None => lapses,
            Some(ends) if is_admitted => ends,
            Some(ends) => ends.min(lapses),
        };
        let is_kept = place.left_from.is_none_or(|from| from > at.answered);
        place.given_in.is_some() && is_kept && at.by().saturating_add(1) <= earliest_end
    }

    /// Whether the place may have ended before the later of these two joins was executed.
    pub(super) fn may_be_over(&self, number: u64, at: &Exchange) -> bool {
        let reported = self.places.get(&number).and_then(|place| place.over_from);
        reported.is_some_and(|from| from <= at.answered) || !self.stands(number, at)
    }

    fn not_called_before(&self, number: u64) -> Millis {
        let below = self.called_after.partition_point(|&(most, _)| most < number);
        below.checked_sub(1).map_or(Millis::MIN, |last| self.called_after[last].1)
    }
}

/// Sorts by time, and keeps only bounds that exceed all earlier ones.
fn keep_rising(reached: &mut Vec<LowerBound<'_>>) {
    reached.sort_by_key(|fact| (fact.by, std::cmp::Reverse(fact.mark)));
    let mut highest = 0;
    reached.retain(|fact| {
        let rises = fact.mark > highest;
        highest = highest.max(fact.mark);
        rises
    });
}

pub(super) fn millis(duration: std::time::Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

fn places(records: &[Exchange]) -> HashMap<u64, Place<'_>> {
    let unanswered = unanswered_joins(records);
    let mut places = HashMap::new();
    for record in records.iter().filter(|record| record.number != 0 && !record.is_forged) {
        let place = places.entry(record.number).or_insert_with(Place::unknown);
        if record.is(RequestKind::Join, 200) {
            let lost = unanswered.get(&record.user).copied().unwrap_or(Millis::MAX);
            place.given_from = place.given_from.min(record.sent).min(lost);
        }
        place.note(record);
    }
    places
}

/// By user, the first join that may have assigned a number without an answer.
fn unanswered_joins(records: &[Exchange]) -> HashMap<u64, Millis> {
    let mut first = HashMap::new();
    let is_lost = |record: &&Exchange| {
        record.what == RequestKind::Join && record.status != 200 && record.may_be_done()
    };
    for record in records.iter().filter(is_lost) {
        let sent = first.entry(record.user).or_insert(record.sent);
        *sent = record.sent.min(*sent);
    }
    first
}

/// A number whose holder could already see the call was not released while waiting.
fn departed(places: &HashMap<u64, Place<'_>>) -> Vec<u64> {
    let left_waiting = |place: &Place<'_>| {
        place.left_from.is_some_and(|left| place.called_by.is_none_or(|called| called > left))
    };
    let mut departed: Vec<u64> =
        places.iter().filter(|(_, place)| left_waiting(place)).map(|(&number, _)| number).collect();
    departed.sort_unstable();
    departed
}

impl<'a> Place<'a> {
    fn unknown() -> Self {
        Self {
            given_in: None,
            given_from: Millis::MAX,
            left_from: None,
            left_in: None,
            over_from: None,
            claimed_from: None,
            admitted: None,
            called_by: None,
            held_in: None,
        }
    }

    fn note(&mut self, record: &'a Exchange) {
        if record.is(RequestKind::Join, 200) {
            earlier(&mut self.given_in, record);
        }
        if record.what == RequestKind::Leave && record.may_be_done() {
            least(&mut self.left_from, record.sent);
        }
        if record.is(RequestKind::Leave, 204) {
            earlier(&mut self.left_in, record);
        }
        if record.shows_end() {
            least(&mut self.over_from, record.sent);
        }
        if record.what == RequestKind::Dates && record.may_be_done() {
            least(&mut self.claimed_from, record.sent);
        }
        if record.is(RequestKind::Dates, 200) {
            earlier(&mut self.admitted, record);
        }
        if record.shows_call() {
            least(&mut self.called_by, record.by());
        }
        // A stale answer may report a call that is over.
        let shows_slot =
            record.shows_call() && !record.is_stale || record.is(RequestKind::Leave, 204);
        if shows_slot && self.held_in.is_none_or(|held| held.sent < record.sent) {
            self.held_in = Some(record);
        }
    }
}

fn earlier<'a>(known: &mut Option<&'a Exchange>, record: &'a Exchange) {
    if known.is_none_or(|known| record.answered < known.answered) {
        *known = Some(record);
    }
}

fn least(known: &mut Option<Millis>, moment: Millis) {
    *known = Some(known.map_or(moment, |known| known.min(moment)));
}
