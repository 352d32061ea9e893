//! The counters and the view of a service.

use super::*;
use crate::queue::{ClaimError, Session};

fn user() -> UserId {
    UserId::new(7).unwrap()
}

/// The counters that are not zero.
fn refused(service: &QueueService) -> Vec<(&'static str, u64)> {
    service.counts().refused().into_iter().filter(|(_, count)| *count > 0).collect()
}

fn joined(number: u64, rejoined: bool) -> Joined {
    let number = super::number(number);
    Joined {
        incarnation: life(),
        number,
        rejoined,
        place_status: PlaceStatus::Waiting,
        counters: QueueCounters::new(number.get(), 0),
    }
}

#[test]
fn joins_are_counted_by_whether_they_issued_a_number() {
    run(async {
        let mut store = MockQueueStore::new();
        let mut answers = [joined(1, false), joined(2, false), joined(1, true)].into_iter();
        store.expect_join().returning(move |_, _, _| Ok(answers.next().unwrap()));
        let service = service_of("main", store);
        for _ in 0..3 {
            service.join(user(), None).await.unwrap();
        }
        assert_eq!(
            service.counts(),
            QueueCounts { joined_new: 2, joined_again: 1, ..QueueCounts::default() }
        );
    });
}

#[test]
fn refused_joins_are_counted_by_their_reason() {
    run(async {
        let mut store = MockQueueStore::new();
        let mut answers =
            [JoinError::QueueFull, JoinError::AboveCeiling, down().into()].into_iter();
        store.expect_join().returning(move |_, _, _| Err(answers.next().unwrap()));
        let service = service_of("main", store);
        for _ in 0..3 {
            service.join(user(), None).await.unwrap_err();
        }
        assert_eq!(refused(&service), [("line_full", 1), ("not_reserved", 1), ("store", 1)]);
        let unread = reserving(service_of("main", MockQueueStore::new()), &Arc::default());
        unread.join(user(), None).await.unwrap_err();
        assert_eq!(refused(&unread), [("not_reserved", 1)]);
    });
}

#[test]
fn a_success_is_not_counted() {
    run(async {
        let mut store = store_at(QueueCounters::new(10, 5), &[8]);
        let mut answers = [Ok(PlaceStatus::Gone), Err(down())].into_iter();
        store.expect_place_status().returning(move |_| answers.next().unwrap());
        store.expect_claim().returning(|place| {
            Ok(Session {
                number: place.number,
                user: place.user,
                until: Expiry::new(QueueTime::START, QueueTime::START),
            })
        });
        store.expect_release().returning(|_| Ok(()));
        let service = service_of("main", store);
        service.tick().await.unwrap();
        for token in ["7", "8", "2", "2"] {
            service.query_status(token).await.unwrap();
        }
        service.admit("3").await.unwrap();
        service.leave("7").await.unwrap();
        assert_eq!(service.counts(), QueueCounts::default());
    });
}

#[test]
fn each_refused_admission_is_counted_once() {
    run(async {
        let mut store = store_at(QueueCounters::new(10, 5), &[8]);
        let mut answers =
            [ClaimError::NotYet, ClaimError::Gone, ClaimError::NotHolder, down().into()]
                .into_iter();
        store.expect_claim().returning(move |_| Err(answers.next().unwrap()));
        let service = service_of("main", store);
        service.admit("2").await.unwrap_err();
        assert_eq!(
            refused(&service),
            [("not_yet", 1)],
            "not called yet, as far as this node knows"
        );
        service.tick().await.unwrap();
        for token in ["7", "8", "2", "2", "2", "2"] {
            service.admit(token).await.unwrap_err();
        }
        assert_eq!(refused(&service), [("not_yet", 3), ("gone", 3), ("store", 1)]);
    });
}

#[test]
fn refusals_for_a_stale_view_have_their_own_reason() {
    run(async {
        let mut service = service_of("main", store_at(QueueCounters::new(10, 5), &[]));
        service.deps.clock = Arc::new(SteppingClock::default());
        service.deps.stale_after = Duration::ZERO;
        service.tick().await.unwrap();
        service.admit("3").await.unwrap_err();
        assert_eq!(refused(&service), [("stale_view", 1)]);
    });
}

#[test]
fn each_refused_release_is_counted_once() {
    run(async {
        let mut store = store_at(QueueCounters::new(10, 5), &[]);
        let mut answers =
            [ReleaseError::Gone, ReleaseError::NotFound, ReleaseError::NotHolder, down().into()]
                .into_iter();
        store.expect_release().returning(move |_| Err(answers.next().unwrap()));
        let service = service_of("main", store);
        for _ in 0..4 {
            service.leave("7").await.unwrap_err();
        }
        assert_eq!(refused(&service), [("gone", 3), ("store", 1)]);
    });
}

#[test]
fn tokens_are_refused_under_six_names() {
    run(async {
        let mut signer = MockTokenSigner::new();
        signer.expect_verify().returning(|text| {
            Err(match text {
                "version" => TokenRejected::UnknownVersion,
                "key" => TokenRejected::UnknownKey,
                "signature" => TokenRejected::BadSignature,
                _ => TokenRejected::Malformed,
            })
        });
        let mut service = service_of("main", MockQueueStore::new());
        service.deps.signer = Arc::new(signer);
        service.query_status("nonsense").await.unwrap_err();
        service.admit("version").await.unwrap_err();
        service.leave("key").await.unwrap_err();
        service.query_status("signature").await.unwrap_err();
        let of_tokens =
            [("malformed", 1), ("unknown_version", 1), ("unknown_key", 1), ("bad_signature", 1)];
        assert_eq!(refused(&service), of_tokens);
        let other = service_of("other", MockQueueStore::new());
        other.query_status("1").await.unwrap_err();
        assert_eq!(refused(&other), [("foreign_queue", 1)]);
        let knows = service_of("main", store_at(QueueCounters::START, &[]));
        knows.tick().await.unwrap();
        knows.query_status("6:1").await.unwrap_err();
        assert_eq!(refused(&knows), [("foreign_incarnation", 1)]);
    });
}

#[test]
fn every_reason_has_its_own_name() {
    let names = QueueCounts::default().refused().map(|(name, _)| name);
    let once: std::collections::BTreeSet<_> = names.into_iter().collect();
    assert_eq!(once.len(), names.len());
}

#[test]
fn the_view_is_that_of_the_last_tick_and_becomes_stale() {
    run(async {
        let mut service = service_of("main", store_at_each(&[(10, 4), (20, 6)]));
        service.deps.clock = Arc::new(SteppingClock::default());
        let before = service.view();
        assert_eq!((before.age, before.last_step), (None, None));
        assert_eq!(
            (before.counters, before.waiting, before.people_called),
            (QueueCounters::START, 0, 0)
        );
        service.tick().await.unwrap();
        service.tick().await.unwrap();
        let view = service.view();
        assert_eq!(
            view,
            QueueStats {
                counters: QueueCounters::new(20, 6),
                waiting: 14,
                called: 3,
                active: 4,
                recovers: true,
                may_join: true,
                outcomes: OutcomeCounts { claimed: 5, ..OutcomeCounts::default() },
                age: Some(Duration::from_secs(1)),
                stale_after: Duration::from_secs(1),
                max_active: AdmissionPolicy::default().spec().max_active,
                last_step: Some(Timestamp::from_second(1).unwrap()),
                people_called: 4,
            }
        );
    });
}

#[test]
fn abandoned_numbers_do_not_count_as_waiting() {
    run(async {
        let mut store = store_at(QueueCounters::new(1_000, 200), &[250, 300]);
        store.expect_place_status().returning(|_| Ok(PlaceStatus::Gone));
        let service = service_of("main", store);
        service.tick().await.unwrap();
        assert_eq!(service.view().waiting, 798);
        service.query_status("1100").await.unwrap();
        assert_eq!(service.view().waiting, 798, "a token is not a witness of a longer queue");
    });
}
