//! Checks, confirmations and claims, each with its calls to the store. A mock panics at any other
//! call.

use super::*;
use crate::queue::{ClaimError, Session};

const UNTIL: Expiry =
    Expiry { at: QueueTime::from_micros(9_000_000), remaining: Duration::from_secs(9) };

/// Numbers 1 to 5 have been called, 8 was abandoned.
async fn service_over(configure: impl FnOnce(&mut MockQueueStore)) -> QueueService {
    let mut store = store_at(QueueCounters::new(10, 5), &[8]);
    configure(&mut store);
    let service = service_of("main", store);
    service.tick().await.unwrap();
    service
}

/// A store that returns this status of any place, once.
async fn where_it_stands(place_status: Result<PlaceStatus, PortError>) -> QueueService {
    let mut place_status = Some(place_status);
    service_over(|store| {
        store.expect_place_status().times(1).returning(move |_| place_status.take().unwrap());
    })
    .await
}

async fn after_claim(error: ClaimError) -> QueueError {
    let mut error = Some(error);
    let service = service_over(|store| {
        store.expect_claim().times(1).returning(move |_| Err(error.take().unwrap()));
    })
    .await;
    service.claim(service.check("3").unwrap()).await.unwrap_err()
}

#[test]
fn checking_a_called_number_touches_no_store() {
    run(async {
        let service = service_over(|_| {}).await;
        for called in ["1", "5"] {
            let _ = service.check(called).unwrap();
        }
        assert_eq!(service.counts(), QueueCounts::default());
    });
}

#[test]
fn checking_refuses_whom_the_node_knows_to_have_no_right() {
    run(async {
        let service = service_over(|_| {}).await;
        let Err(QueueError::NotYet(status)) = service.check("9") else { panic!("not called yet") };
        let is_waiting = status.place_status == PlaceStatus::Waiting && !status.is_stale;
        assert_eq!((status.position.get(), is_waiting), (3, true));
        assert!(matches!(service.check("8"), Err(QueueError::Gone)), "abandoned");
        assert!(matches!(service.check("x"), Err(QueueError::Forged(TokenRejected::Malformed))));
    });
}

#[test]
fn a_node_with_a_stale_view_prepares_no_answer() {
    run(async {
        let mut service = service_over(|_| {}).await;
        service.deps.clock = Arc::new(SteppingClock::default());
        service.deps.stale_after = Duration::from_millis(1);
        assert!(service.check("3").is_ok(), "the view is fresh");
        let Err(QueueError::Store(error)) = service.check("3") else { panic!("stale by now") };
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        assert_eq!(service.counts().stale_view, 1);
    });
}

#[test]
fn a_called_place_is_claimed_in_one_request() {
    run(async {
        let service = service_over(|store| {
            store.expect_claim().times(1).returning(|place| {
                Ok(Session { number: place.number, user: place.user, until: UNTIL })
            });
        })
        .await;
        let admission = service.check("3").unwrap();
        let session = service.claim(admission).await.unwrap();
        assert_eq!((session.number, session.user.get(), session.until), (number(3), 7, UNTIL));
    });
}

#[test]
fn confirming_a_call_claims_nothing() {
    run(async {
        let service = where_it_stands(Ok(PlaceStatus::Called { until: UNTIL })).await;
        let _ = service.confirm(service.check("3").unwrap()).await.unwrap();
    });
}

#[test]
fn a_confirmed_call_is_still_to_be_claimed() {
    run(async {
        let service = service_over(|store| {
            store
                .expect_place_status()
                .times(1)
                .returning(|_| Ok(PlaceStatus::Called { until: UNTIL }));
            store.expect_claim().times(1).returning(|_| Err(ClaimError::Gone));
        })
        .await;
        let confirmed = service.confirm(service.check("3").unwrap()).await.unwrap();
        let lapsed = service.claim(confirmed).await;
        assert!(matches!(lapsed, Err(QueueError::Gone)), "it lapsed meanwhile");
    });
}

#[test]
fn a_confirmed_session_is_not_asked_for_again() {
    run(async {
        let service = where_it_stands(Ok(PlaceStatus::Active { until: UNTIL })).await;
        let confirmed = service.confirm(service.check("3").unwrap()).await.unwrap();
        let again = service.confirm(confirmed).await.unwrap();
        let session = service.claim(again).await.unwrap();
        assert_eq!((session.number, session.user.get(), session.until), (number(3), 7, UNTIL));
    });
}

#[test]
fn confirming_refuses_whom_the_store_knows_to_have_no_right() {
    run(async {
        let confirm = async |place_status| {
            let service = where_it_stands(place_status).await;
            service.confirm(service.check("3").unwrap()).await.unwrap_err()
        };
        assert!(matches!(confirm(Ok(PlaceStatus::Gone)).await, QueueError::Gone));
        assert!(matches!(confirm(Err(down())).await, QueueError::Store(_)));
        let QueueError::NotYet(status) = confirm(Ok(PlaceStatus::Waiting)).await else {
            panic!("not called, according to the store")
        };
        assert_eq!((status.number, status.place_status), (number(3), PlaceStatus::Waiting));
    });
}

#[test]
fn a_claim_that_fails_says_why() {
    run(async {
        assert!(matches!(after_claim(ClaimError::Gone).await, QueueError::Gone));
        assert!(matches!(after_claim(ClaimError::NotFound).await, QueueError::Gone));
        assert!(matches!(after_claim(ClaimError::NotHolder).await, QueueError::Gone));
        assert!(matches!(after_claim(down().into()).await, QueueError::Store(_)));
        let not_yet = after_claim(ClaimError::NotYet).await;
        assert!(matches!(not_yet, QueueError::NotYet(status) if status.number == number(3)));
    });
}

#[test]
fn each_refused_step_is_counted_once() {
    run(async {
        let service = service_over(|store| {
            let mut standings = [Ok(PlaceStatus::Gone), Err(down())].into_iter();
            store.expect_place_status().returning(move |_| standings.next().unwrap());
            store.expect_claim().returning(|_| Err(ClaimError::NotHolder));
        })
        .await;
        let called = || service.check("3").unwrap();
        service.confirm(called()).await.unwrap_err();
        service.confirm(called()).await.unwrap_err();
        service.claim(called()).await.unwrap_err();
        service.check("9").unwrap_err();
        let counts = QueueCounts { gone: 2, store: 1, not_yet: 1, ..QueueCounts::default() };
        assert_eq!(service.counts(), counts);
    });
}
