//! A node's replica, fed by hand-written responses of a store.

use super::*;
use crate::queue::QueueId;

const SESSION_TTL: Duration = Duration::from_secs(600);

fn at(second: u64) -> QueueTime {
    QueueTime::from_micros(second * 1_000_000)
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn number(n: u64) -> QueueNumber {
    QueueNumber::new(n).unwrap()
}

fn place(n: u64, holder: u64) -> TokenClaims {
    TokenClaims {
        incarnation: Incarnation::new(5).unwrap(),
        queue: QueueId::parse("main").unwrap(),
        number: number(n),
        user: user(holder),
        issued_at: crate::Timestamp::UNIX_EPOCH,
    }
}

fn claimed(number: u64, holder: u64, until: u64) -> Change {
    Change::Claimed { number, user: user(holder), until: at(until) }
}

/// The end of a session, as seen at the time of the replica of [`following`].
fn ends(second: u64) -> Expiry {
    Expiry::new(at(second), at(1_000))
}

fn session(number: u64, holder: u64, until: u64) -> Memory {
    Memory::Change(claimed(number, holder, until))
}

fn holder(number: u64, holder: u64) -> Memory {
    Memory::Holder { number, user: user(holder) }
}

/// A replica that follows generation 1, and its next refresh.
fn following(changes: Vec<Change>) -> (Replica, Refresh) {
    let mut replica = Replica::new(NodeId(5), false, SESSION_TTL);
    let refresh = Refresh {
        incarnations: Incarnations::default(),
        generation: 1,
        version: 0,
        counters: QueueCounters::new(100, 10),
        at: at(1_000),
        calls_from: 0,
        changes: Changes::Whole(Whole::default()),
    };
    assert!(replica.follow(refresh.clone()).is_empty());
    let next =
        Refresh { version: changes.len() as u64, changes: Changes::Since(changes), ..refresh };
    assert!(replica.follow(next.clone()).is_empty());
    (replica, Refresh { changes: Changes::Since(Vec::new()), ..next })
}

#[test]
fn a_fresh_node_reports_nothing_and_has_nothing_to_replay() {
    let mut replica = Replica::new(NodeId(5), true, SESSION_TTL);
    let nothing = Witness { node: NodeId(5), needs_checkpoint: true, ..Witness::default() };
    assert_eq!(replica.witness(), nothing);
    assert!(replica.memories().is_empty());
    let refresh = Refresh {
        incarnations: Incarnations::default(),
        generation: 7,
        version: 30,
        counters: QueueCounters::new(100, 10),
        at: at(4),
        calls_from: 3,
        changes: Changes::Whole(Whole { vacant: VacantNumbers::of([50]), ..Whole::default() }),
    };
    assert!(replica.follow(refresh).is_empty());
    let seen = Witness {
        counters: QueueCounters::new(100, 10),
        generation: 7,
        replayed: 7,
        version: 30,
        seen: 30,
        time: at(4),
        calls_from: 3,
        ..nothing
    };
    assert_eq!(replica.witness(), seen, "nothing to replay, so the replay is done");
    assert_eq!(replica.vacant(), &VacantNumbers::of([50]));
}

#[test]
fn a_node_with_entries_has_replayed_only_once_that_is_noted() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 2_000)]);
    let memories = replica.follow(Refresh { generation: 2, ..refresh.clone() });
    assert_eq!(memories, [session(1, 7, 2_000)]);
    assert_eq!((replica.witness().generation, replica.witness().replayed), (2, 1));
    assert!(
        replica.follow(Refresh { generation: 2, ..refresh }).is_empty(),
        "replayed once a generation"
    );
    assert_eq!(replica.witness().replayed, 1);
    replica.note_replayed(2);
    assert_eq!(replica.witness().replayed, 2);
}

#[test]
fn counters_of_any_report_are_applied_and_never_go_back() {
    let (mut replica, refresh) = following(Vec::new());
    replica.note_counters(QueueCounters::new(120, 5));
    assert_eq!(replica.witness().counters, QueueCounters::new(120, 10));
    replica.follow(Refresh { counters: QueueCounters::new(110, 20), ..refresh });
    assert_eq!(replica.witness().counters, QueueCounters::new(120, 20));
}

#[test]
fn a_response_raises_the_version_seen_but_not_the_version_followed() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 2_000)]);
    replica.note_session(&place(15, 8), ends(2_000), 4);
    assert_eq!((replica.witness().version, replica.witness().seen), (1, 4));
    assert_eq!(replica.witness().counters, QueueCounters::new(100, 15), "15 was called");
    replica.note_version(3);
    assert_eq!(replica.witness().seen, 4);
    replica.note_version(6);
    replica.follow(Refresh { version: 5, ..refresh });
    assert_eq!((replica.witness().version, replica.witness().seen), (5, 6));
}

#[test]
fn a_session_is_known_from_the_log_until_it_ends_or_is_released() {
    let log = vec![claimed(1, 7, 2_000), claimed(2, 8, 1_000), claimed(3, 9, 3_000)];
    let (mut replica, refresh) = following(log);
    assert_eq!(replica.session(&place(1, 7), at(1_999)), Some(at(2_000)));
    assert_eq!(replica.session(&place(1, 7), at(2_000)), None);
    assert_eq!(replica.session(&place(1, 8), at(1_500)), None, "another user's");
    assert_eq!(replica.session(&place(4, 7), at(1_500)), None);
    let over = |number| Memory::Change(Change::Released(number));
    assert_eq!(
        replica.memories(),
        [over(2), session(1, 7, 2_000), session(3, 9, 3_000)],
        "2 is over"
    );
    let released = Changes::Since(vec![Change::Released(1)]);
    replica.follow(Refresh { version: 4, changes: released, ..refresh.clone() });
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None);
    assert_eq!(replica.memories(), [over(1), over(2), session(3, 9, 3_000)]);
    replica.follow(Refresh { version: 4, at: at(4_000), calls_from: 3, ..refresh });
    assert_eq!(replica.memories(), [], "none of their calls can reopen");
}

#[test]
fn a_claim_of_this_node_is_known_unless_the_log_has_later_changes() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 2_000), Change::Released(1)]);
    replica.note_session(&place(1, 7), ends(2_000), 1);
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None, "the result is older than the log");
    replica.note_session(&place(1, 7), ends(2_000), 2);
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None, "released");
    replica.note_session(&place(5, 8), ends(2_000), 1);
    assert_eq!(replica.session(&place(5, 8), at(1_500)), None);
    replica.note_session(&place(5, 8), ends(2_000), 2);
    assert_eq!(replica.session(&place(5, 8), at(1_500)), Some(at(2_000)));
    replica.note_session(&place(6, 9), Expiry::new(at(900), at(300)), 2);
    assert_eq!(
        replica.session(&place(6, 9), at(300)),
        None,
        "the result is of another store's time"
    );
    let changes = Changes::Since(vec![claimed(1, 7, 2_000)]);
    replica.follow(Refresh { version: 3, changes, ..refresh });
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None, "the log is behind the release");
}

#[test]
fn a_place_being_released_is_uncertain_and_a_released_one_is_replayed() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 2_000), claimed(2, 8, 2_000)]);
    replica.note_leaving(&place(1, 7));
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None);
    assert!(replica.memories().contains(&session(1, 7, 2_000)), "they may have left");
    replica.note_left(&place(1, 7), false);
    replica.note_left(&place(50, 9), true);
    let reported = [
        Memory::Change(Change::Released(1)),
        session(2, 8, 2_000),
        Memory::Change(Change::Abandoned(50)),
    ];
    assert_eq!(replica.memories(), reported);
    assert!(replica.vacant().contains(50));
    replica.note_leaving(&place(70, 9));
    replica.follow(refresh);
    assert_eq!(replica.memories(), reported);
}

#[test]
fn a_release_is_remembered_while_the_call_or_the_session_could_run() {
    let (mut replica, refresh) = following(vec![Change::Released(3), Change::Released(8)]);
    let released = |numbers: &[u64]| -> Vec<Memory> {
        numbers.iter().map(|number| Memory::Change(Change::Released(*number))).collect()
    };
    let mut after = |calls_from, second| {
        replica.follow(Refresh { calls_from, at: at(second), ..refresh.clone() });
        replica.memories()
    };
    assert_eq!(after(3, 1_000), released(&[3, 8]));
    assert_eq!(after(3, 1_599), released(&[3, 8]));
    assert_eq!(after(3, 1_600), released(&[8]));
    assert_eq!(after(7, 9_000), released(&[8]));
    assert_eq!(after(8, 9_000), []);
}

#[test]
fn remembered_sessions_keep_their_remaining_time_in_another_store() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 1_300), Change::Released(3)]);
    let whole = Changes::Whole(Whole::default());
    let other = Refresh { generation: 2, at: at(20), calls_from: 5, changes: whole, ..refresh };
    let memories = replica.follow(other.clone());
    assert_eq!(memories, [Memory::Change(Change::Released(3)), session(1, 7, 320)]);
    let later =
        |second| Refresh { at: at(second), changes: Changes::Since(Vec::new()), ..other.clone() };
    replica.follow(later(319));
    assert_eq!(replica.memories(), memories);
    replica.follow(later(320));
    assert_eq!(replica.memories(), [Memory::Change(Change::Released(3))]);
    replica.follow(later(620));
    assert_eq!(replica.memories(), []);
}

#[test]
fn a_holder_is_remembered_until_their_call_is_over() {
    let (mut replica, refresh) = following(Vec::new());
    for n in [1, 2, 3, 40, 41] {
        replica.note_holder(user(n), number(n));
    }
    let changes = vec![claimed(1, 1, 2_000), Change::Released(3), Change::Abandoned(41)];
    let refresh = Refresh { version: 3, changes: Changes::Since(changes), ..refresh };
    replica.follow(refresh.clone());
    let reported = |replica: &Replica| -> Vec<Memory> {
        let is_holder = |memory: &Memory| matches!(memory, Memory::Holder { .. });
        replica.memories().into_iter().filter(is_holder).collect()
    };
    assert_eq!(
        reported(&replica),
        [holder(1, 1), holder(2, 2), holder(40, 40)],
        "3 and 41 have left"
    );
    let next = Refresh { calls_from: 2, changes: Changes::Since(Vec::new()), ..refresh };
    replica.follow(next.clone());
    assert_eq!(reported(&replica), [holder(40, 40)]);
    assert_eq!(replica.holders.len(), 1, "the others use no memory");
    replica.note_holder(user(2), number(2));
    assert_eq!(reported(&replica), [holder(40, 40)], "a response from before");
    replica.note_holder(user(3), number(4));
    replica.follow(next);
    assert_eq!(reported(&replica), [holder(4, 3), holder(40, 40)]);
}

#[test]
fn a_user_who_left_is_not_a_holder_even_if_the_join_response_comes_later() {
    let (mut replica, refresh) = following(Vec::new());
    let changes = Changes::Since(vec![Change::Released(3), Change::Abandoned(41)]);
    replica.follow(Refresh { version: 2, changes, ..refresh });
    for n in [3, 40, 41] {
        replica.note_holder(user(n), number(n));
    }
    let left = [Change::Released(3), Change::Abandoned(41)].map(Memory::Change);
    assert_eq!(replica.memories(), [&left[..], &[holder(40, 40)]].concat());
}

#[test]
fn passed_abandoned_numbers_are_replayed_as_released() {
    let (mut replica, refresh) = following(vec![Change::Abandoned(20), Change::Abandoned(30)]);
    replica.follow(Refresh {
        counters: QueueCounters::new(100, 25),
        calls_from: 15,
        ..refresh.clone()
    });
    let (released, abandoned) = (Change::Released(20), Change::Abandoned(30));
    assert_eq!(replica.memories(), [Memory::Change(released), Memory::Change(abandoned)]);
    assert_eq!(replica.vacant(), &VacantNumbers::of([30]));
    replica.follow(Refresh { counters: QueueCounters::new(100, 35), calls_from: 30, ..refresh });
    assert_eq!(replica.memories(), [], "their calls would be over");
}

#[test]
fn a_gap_in_the_log_makes_sessions_uncertain_and_forgets_no_vacant_number() {
    let (mut replica, refresh) = following(vec![claimed(1, 7, 2_000), Change::Abandoned(50)]);
    let whole = Changes::Whole(Whole { vacant: VacantNumbers::of([60]), ..Whole::default() });
    replica.follow(Refresh { version: 90_000, changes: whole, ..refresh.clone() });
    assert_eq!(replica.session(&place(1, 7), at(1_500)), None);
    assert_eq!(replica.vacant(), &VacantNumbers::of([50, 60]));
    let reported = [50, 60].map(|number| Memory::Change(Change::Abandoned(number)));
    assert_eq!(replica.memories(), [vec![session(1, 7, 2_000)], reported.to_vec()].concat());
    let changes = Changes::Since(vec![claimed(1, 7, 2_000)]);
    replica.follow(Refresh { version: 90_001, changes, ..refresh });
    assert_eq!(replica.session(&place(1, 7), at(1_500)), Some(at(2_000)), "reported again");
}

#[test]
fn a_starting_node_learns_sessions_and_used_calls() {
    let (mut replica, refresh) = following(Vec::new());
    let sessions = vec![(1, user(7), at(2_000))];
    let whole = Whole { sessions, used: vec![1, 2, 3], ..Whole::default() };
    replica.follow(Refresh { version: 90_000, changes: Changes::Whole(whole), ..refresh.clone() });
    assert_eq!(replica.session(&place(1, 7), at(1_500)), Some(at(2_000)));
    let used = [2, 3].map(|number| Memory::Change(Change::Released(number)));
    assert_eq!(replica.memories(), [used.to_vec(), vec![session(1, 7, 2_000)]].concat());
    let changes = Changes::Since(vec![claimed(3, 9, 2_000), Change::Released(1)]);
    replica.follow(Refresh { version: 90_002, changes, ..refresh });
    let used = [1, 2, 3].map(|number| Memory::Change(Change::Released(number)));
    assert_eq!(replica.memories(), used, "an older change adds nothing");
}

#[test]
fn numbers_the_queue_has_passed_do_not_come_back_with_all_vacant_ones() {
    let (mut replica, refresh) = following(vec![Change::Abandoned(20), Change::Abandoned(50)]);
    let whole = Changes::Whole(Whole { vacant: VacantNumbers::of([60]), ..Whole::default() });
    replica.follow(Refresh {
        counters: QueueCounters::new(100, 40),
        version: 9,
        changes: whole,
        ..refresh
    });
    assert_eq!(replica.vacant(), &VacantNumbers::of([50, 60]));
    let reported = [Change::Released(20), Change::Abandoned(50), Change::Abandoned(60)];
    assert_eq!(replica.memories(), reported.map(Memory::Change), "but their calls must not reopen");
}

#[test]
fn skipped_numbers_follow_the_log_and_outlive_a_store_that_lost_them() {
    let (mut replica, refresh) = following(vec![
        Change::Abandoned(100),
        Change::Skipped { from: 100, to: 200 },
        Change::Found(150),
        Change::Abandoned(150),
    ]);
    assert_eq!(replica.vacant().ranges().collect::<Vec<_>>(), [(100, 149), (150, 200)]);
    assert_eq!(replica.vacant().singles().collect::<Vec<_>>(), [100, 150]);
    let skipped = |from, to| Memory::Change(Change::Skipped { from, to });
    let abandoned = |number| Memory::Change(Change::Abandoned(number));
    let memories = [skipped(100, 149), skipped(150, 200), abandoned(100), abandoned(150)];
    assert_eq!(replica.memories(), memories);
    let whole = Changes::Whole(Whole::default());
    let lost = Refresh { generation: 2, changes: whole.clone(), ..refresh.clone() };
    assert_eq!(replica.follow(lost.clone()), memories);
    assert_eq!(replica.memories(), memories, "also if it is lost again before the replay");
    replica.follow(Refresh { changes: whole, ..lost });
    assert_eq!(replica.vacant().ranges().count(), 0, "but a store with the replay overrides it");
}

#[test]
fn a_million_joins_of_one_user_evict_no_other_holder() {
    let mut replica = Replica::new(NodeId(5), false, SESSION_TTL);
    for n in 1..=1_000 {
        replica.note_holder(user(n), number(n));
    }
    for _ in 0..1_100_000 {
        replica.note_holder(user(1_001), number(1_001));
    }
    assert_eq!(replica.memories().len(), 1_001);
    assert_eq!(replica.dropped(), 0);
}

#[test]
fn beyond_the_limit_holders_at_the_back_are_dropped_and_counted() {
    let mut replica = Replica::new(NodeId(5), false, SESSION_TTL);
    let max = MOST_HOLDERS as u64;
    replica.holders = (1..max).map(|n| (n + 10, user(n))).collect();
    replica.note_holder(user(max), number(max + 10));
    assert_eq!(replica.dropped(), 0);
    replica.note_holder(user(max + 1), number(max + 11));
    replica.note_holder(user(max + 2), number(5));
    assert_eq!(replica.dropped(), 2);
    let memories = replica.memories();
    assert_eq!(memories.len() as u64, max);
    assert_eq!(memories.first(), Some(&holder(5, max + 2)));
    assert_eq!(memories.last(), Some(&holder(max + 9, max - 1)));
}
