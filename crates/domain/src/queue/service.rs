//! The use cases around a line: join, ask, admit, leave, and one step of calling.

use std::sync::Arc;
use std::time::Duration;

use super::watch::Watch;
use super::{
    AdmissionPolicy, Called, ClaimError, GiveBackError, JoinError, Line, Outlook, Pacing, Place, Position,
    QueueError, QueueId, QueueNumber, QueueStore, Session, Standing, TokenRejected, TokenSealer, UserId,
    WaitingToken,
};
use crate::{Clock, PortError};

/// What a [`QueueService`] is made of.
pub struct QueueParts {
    /// The queue it serves; tokens of another are foreign.
    pub queue: QueueId,
    /// The policy its store keeps, for forecasts.
    pub policy: AdmissionPolicy,
    /// How often people should ask.
    pub pacing: Pacing,
    /// Keeps the line.
    pub store: Arc<dyn QueueStore>,
    /// Signs the tokens.
    pub sealer: Arc<dyn TokenSealer>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// A place just given: the token to keep and what to expect.
#[derive(Debug)]
pub struct Ticket {
    /// The signed text that is the place.
    pub token: WaitingToken,
    /// What the person is told.
    pub outlook: Outlook,
}

/// The use cases of one queue on one node. Shared by all requests; nothing in it waits for another request.
pub struct QueueService {
    parts: QueueParts,
    watch: Watch,
}

impl QueueService {
    /// A service that has not looked at its line yet; [`advance`](Self::advance) does.
    #[must_use]
    pub fn new(parts: QueueParts) -> Self {
        let watch = Watch::new(&parts.policy);
        Self { parts, watch }
    }

    /// Takes the user into the line, or finds the place they hold. Asking again is always safe.
    ///
    /// # Errors
    /// [`QueueError::LineFull`] or [`QueueError::Store`].
    pub async fn join(&self, user: UserId) -> Result<Ticket, QueueError> {
        let joined = match self.parts.store.join(user, self.watch.line()).await {
            Ok(joined) => joined,
            Err(JoinError::LineFull) => {
                return Err(QueueError::LineFull { retry_after: self.room_expected_in() });
            }
            Err(JoinError::Store(error)) => return Err(error.into()),
        };
        self.watch.note(joined.line);
        let issued_at = self.parts.clock.now();
        let place = Place { queue: self.parts.queue, number: joined.number, user, issued_at };
        Ok(Ticket {
            token: self.parts.sealer.seal(&place),
            outlook: self.outlook(joined.number, joined.standing),
        })
    }

    /// Tells the holder of a token where they stand. Touches no store while they wait.
    ///
    /// # Errors
    /// [`QueueError::Forged`] or [`QueueError::Store`].
    pub async fn ask(&self, token: &str) -> Result<Outlook, QueueError> {
        let place = self.open(token)?;
        let standing = if self.watch.line().has_called(place.number) {
            self.parts.store.standing(&place).await?
        } else if self.watch.has_left(place.number) {
            Standing::Gone
        } else {
            Standing::Waiting
        };
        Ok(self.outlook(place.number, standing))
    }

    /// Lets the holder of a called token in, claiming the call at its first use.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::NotYet`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn admit(&self, token: &str) -> Result<Session, QueueError> {
        let place = self.open(token)?;
        if !self.watch.line().has_called(place.number) {
            return Err(self.not_yet(place.number));
        }
        self.parts.store.claim(&place).await.map_err(|error| match error {
            ClaimError::NotYet => self.not_yet(place.number),
            ClaimError::NotFound | ClaimError::Gone => QueueError::Gone,
            ClaimError::NotHolder => TokenRejected::BadSignature.into(),
            ClaimError::Store(error) => error.into(),
        })
    }

    /// Gives the place, call or session of a token back.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn leave(&self, token: &str) -> Result<(), QueueError> {
        let place = self.open(token)?;
        self.parts.store.give_back(&place).await.map_err(|error| match error {
            GiveBackError::NotFound | GiveBackError::Gone => QueueError::Gone,
            GiveBackError::NotHolder => TokenRejected::BadSignature.into(),
            GiveBackError::Store(error) => error.into(),
        })
    }

    /// One step of the loop every node runs: calls whoever may be called, then refreshes this node's view.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell; the view stays as it was.
    pub async fn advance(&self) -> Result<Called, PortError> {
        let called = self.parts.store.call_next().await?;
        let snapshot = self.parts.store.snapshot(self.watch.line()).await?;
        self.watch.learn(&snapshot);
        Ok(called)
    }

    /// The line as far as this node has seen it.
    #[must_use]
    pub fn line(&self) -> Line {
        self.watch.line()
    }

    fn open(&self, token: &str) -> Result<Place, TokenRejected> {
        let place = self.parts.sealer.open(token)?;
        if place.queue != self.parts.queue {
            return Err(TokenRejected::ForeignQueue);
        }
        self.watch.note_number(place.number);
        Ok(place)
    }

    fn not_yet(&self, number: QueueNumber) -> QueueError {
        QueueError::NotYet(self.outlook(number, Standing::Waiting))
    }

    /// A place of a full line frees when somebody is called: one step of the fastest rate, and not below a second.
    fn room_expected_in(&self) -> Duration {
        let one_call = 1.0 / self.parts.policy.fastest_rate();
        Duration::try_from_secs_f64(one_call).unwrap_or_default().max(Duration::from_secs(1))
    }

    fn outlook(&self, number: QueueNumber, standing: Standing) -> Outlook {
        let now = self.parts.clock.now();
        let pacing = &self.parts.pacing;
        let (position, eta) = match standing {
            Standing::Waiting => self.watch.outlook(number),
            Standing::Called { .. } | Standing::Active { .. } | Standing::Gone => {
                (Position::CALLED, Duration::ZERO)
            }
        };
        let poll_after = match standing {
            Standing::Waiting => Some(pacing.poll_after(eta, number, now)),
            Standing::Called { until } | Standing::Active { until } => {
                Some(pacing.poll_until(until, number, now))
            }
            Standing::Gone => None,
        };
        Outlook { number, standing, position, eta, poll_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::ports::{Joined, MockQueueStore, MockTokenSealer};
    use crate::queue::{Departures, Snapshot};
    use crate::{PortErrorKind, Timestamp};

    struct StoppedClock;

    impl Clock for StoppedClock {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    fn number(n: u64) -> QueueNumber {
        QueueNumber::new(n).unwrap()
    }

    /// A sealer whose tokens are the bare number, of queue `main`.
    fn plain_sealer() -> MockTokenSealer {
        let mut sealer = MockTokenSealer::new();
        sealer.expect_seal().returning(|place| WaitingToken::new(place.number.to_string()));
        sealer.expect_open().returning(|text| {
            let number =
                text.parse().ok().and_then(|n| QueueNumber::new(n).ok()).ok_or(TokenRejected::Malformed)?;
            let queue = QueueId::parse("main").unwrap();
            Ok(Place { queue, number, user: UserId::new(7).unwrap(), issued_at: Timestamp::UNIX_EPOCH })
        });
        sealer
    }

    fn service_of(queue: &str, store: MockQueueStore) -> QueueService {
        QueueService::new(QueueParts {
            queue: QueueId::parse(queue).unwrap(),
            policy: AdmissionPolicy::default(),
            pacing: Pacing::new(Duration::from_secs(1), Duration::from_secs(30)).unwrap(),
            store: Arc::new(store),
            sealer: Arc::new(plain_sealer()),
            clock: Arc::new(StoppedClock),
        })
    }

    fn store_at(line: Line, departures: &'static [u64]) -> MockQueueStore {
        let mut store = MockQueueStore::new();
        store.expect_call_next().returning(move || Ok(Called { count: 0, line }));
        store.expect_snapshot().returning(move |_| {
            let departures = Departures::new(departures.to_vec());
            Ok(Snapshot { line, departures, called: 0, active: 0, at: Timestamp::UNIX_EPOCH })
        });
        store
    }

    fn down() -> PortError {
        PortError::new(PortErrorKind::Unavailable, "queue store")
    }

    #[tokio::test]
    async fn asking_while_waiting_touches_no_store() {
        // The mock has no expectation for `standing`: any such call would fail the test.
        let service = service_of("main", store_at(Line::new(1_000, 200), &[250, 300]));
        service.advance().await.unwrap();
        let outlook = service.ask("700").await.unwrap();
        assert_eq!(outlook.standing, Standing::Waiting);
        assert_eq!(outlook.position.get(), 498);
        assert_eq!(outlook.eta, Duration::from_millis(4_980));
        assert_eq!(service.ask("300").await.unwrap().standing, Standing::Gone, "300 left");
    }

    #[tokio::test]
    async fn admitting_somebody_who_was_not_called_touches_no_store() {
        let service = service_of("main", store_at(Line::new(10, 2), &[]));
        service.advance().await.unwrap();
        let Err(QueueError::NotYet(outlook)) = service.admit("6").await else { panic!("not called yet") };
        assert_eq!(outlook.position.get(), 4);
    }

    #[tokio::test]
    async fn what_a_node_has_seen_is_the_floor_of_its_next_join() {
        let mut store = store_at(Line::new(50, 20), &[]);
        store.expect_join().withf(|_, floor| *floor == Line::new(90, 20)).times(1).returning(|_, floor| {
            let (number, line) = (number(91), Line::new(91, floor.serving()));
            Ok(Joined { number, rejoined: false, standing: Standing::Waiting, line })
        });
        let service = service_of("main", store);
        service.advance().await.unwrap();
        service.ask("90").await.unwrap();
        let ticket = service.join(UserId::new(7).unwrap()).await.unwrap();
        assert_eq!(ticket.token.as_str(), "91");
        assert_eq!(service.line(), Line::new(91, 20));
    }

    #[tokio::test]
    async fn a_token_of_another_queue_is_foreign() {
        let service = service_of("other", MockQueueStore::new());
        let refused = |error| matches!(error, QueueError::Forged(TokenRejected::ForeignQueue));
        assert!(refused(service.ask("1").await.unwrap_err()));
        assert!(refused(service.admit("1").await.unwrap_err()));
        assert!(refused(service.leave("1").await.unwrap_err()));
        assert_eq!(service.line(), Line::default(), "and moves nothing");
    }

    #[tokio::test]
    async fn a_store_that_is_down_is_told_apart_and_leaves_the_view_as_it_was() {
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _| Err(down().into()));
        store.expect_call_next().returning(|| Err(down()));
        store.expect_give_back().returning(|_| Err(down().into()));
        let service = service_of("main", store);
        assert!(matches!(service.join(UserId::new(7).unwrap()).await, Err(QueueError::Store(_))));
        assert!(matches!(service.leave("3").await, Err(QueueError::Store(_))));
        assert_eq!(service.advance().await.unwrap_err().kind(), PortErrorKind::Unavailable);
        assert_eq!(service.ask("3").await.unwrap().position.get(), 3, "where am I? goes on");
    }

    #[tokio::test]
    async fn a_full_line_says_when_to_try_again() {
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _| Err(JoinError::LineFull));
        let service = service_of("main", store);
        let Err(QueueError::LineFull { retry_after }) = service.join(UserId::new(7).unwrap()).await else {
            panic!("the line is full")
        };
        assert_eq!(retry_after, Duration::from_secs(1));
    }
}
