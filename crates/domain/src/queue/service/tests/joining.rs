//! Joining with the token of a place.

use super::*;

/// A clock that has stopped so many seconds after tokens were signed.
struct SecondsLater(i64);

impl Clock for SecondsLater {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap()
    }
}

/// A service whose store expects one join that presents this number, and finds it or gives 9.
fn presenting(expected: Option<u64>) -> QueueService {
    let mut store = MockQueueStore::new();
    let expected = expected.map(number);
    store.expect_join().withf(move |_, presented, _| *presented == expected).times(1).returning(
        move |_, presented, _| {
            let number = presented.unwrap_or(number(9));
            let line = Line::new(9, 0);
            Ok(Joined { number, rejoined: presented.is_some(), standing: Standing::Waiting, line })
        },
    );
    service_of("main", store)
}

fn holder() -> UserId {
    UserId::new(7).unwrap()
}

#[test]
fn a_token_presents_its_number_to_the_store() {
    run(async {
        let ticket = presenting(Some(4)).join(holder(), Some("4")).await.unwrap();
        assert_eq!(ticket.outlook.number, number(4));
        let ticket = presenting(None).join(holder(), None).await.unwrap();
        assert_eq!(ticket.outlook.number, number(9));
    });
}

#[test]
fn a_token_past_its_lifetime_counts_as_none() {
    run(async {
        for (age, presented) in [(3_600, Some(4)), (3_601, None)] {
            let mut service = presenting(presented);
            service.parts.clock = Arc::new(SecondsLater(age));
            service.join(holder(), Some("4")).await.unwrap();
            assert_eq!(service.counts().gone, 0, "an old token is no reason to refuse a join");
        }
    });
}

#[test]
fn a_token_that_is_not_accepted_or_not_the_users_is_refused() {
    run(async {
        let service = service_of("main", MockQueueStore::new());
        let malformed = service.join(holder(), Some("x")).await.unwrap_err();
        assert!(matches!(malformed, QueueError::Forged(TokenRejected::Malformed)));
        let anothers = service.join(UserId::new(8).unwrap(), Some("4")).await.unwrap_err();
        assert!(matches!(anothers, QueueError::Forged(TokenRejected::BadSignature)));
        assert_eq!((service.counts().malformed, service.counts().bad_signature), (1, 1));
    });
}
