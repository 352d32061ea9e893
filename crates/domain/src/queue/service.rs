//! The use cases around a line: join, ask, admit, leave, and one step of calling.

use std::sync::Arc;
use std::time::Duration;

use super::reserve::Reserved;
use super::watch::{Sight, Watch};
use super::{
    AdmissionPolicy, Bounds, Called, ClaimError, GiveBackError, JoinError, Line, Outlook, Pacing, Place,
    Position, QueueError, QueueId, QueueNumber, QueueStore, Reserve, Session, Standing, TokenRejected,
    TokenSealer, UserId, WaitingToken,
};
use crate::{Clock, PortError, PortErrorKind};

/// What a [`QueueService`] is made of.
pub struct QueueParts {
    /// The queue it serves; tokens of another are foreign.
    pub queue: QueueId,
    /// The policy its store keeps, for forecasts.
    pub policy: AdmissionPolicy,
    /// How often people should ask.
    pub pacing: Pacing,
    /// How old a token may be; an older one is of a sale that is over. Joining again gives a fresh one.
    pub token_ttl: Duration,
    /// How old the node's view of the line may be before answers say so and nobody is let in.
    pub stale_after: Duration,
    /// Keeps the line.
    pub store: Arc<dyn QueueStore>,
    /// Signs the tokens.
    pub sealer: Arc<dyn TokenSealer>,
    /// Where numbers are reserved before they are given; `None` where losing the store and all nodes at once may begin the
    /// line anew.
    pub reserve: Option<Reserve>,
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
    reserved: Option<Reserved>,
}

impl QueueService {
    /// A service that has not looked at its line yet; [`advance`](Self::advance) does.
    #[must_use]
    pub fn new(mut parts: QueueParts) -> Self {
        let watch = Watch::new(&parts.policy);
        let reserved = parts.reserve.take().map(Reserved::new);
        Self { parts, watch, reserved }
    }

    /// Takes the user into the line, or finds the place they hold. Asking again is always safe.
    ///
    /// # Errors
    /// [`QueueError::LineFull`] or [`QueueError::Store`].
    pub async fn join(&self, user: UserId) -> Result<Ticket, QueueError> {
        let bounds = self.bounds()?;
        let joined = match self.parts.store.join(user, bounds).await {
            Ok(joined) => joined,
            Err(JoinError::AboveCeiling) => return Err(not_reserved().into()),
            Err(JoinError::LineFull) => {
                return Err(QueueError::LineFull { retry_after: self.room_expected_in() });
            }
            Err(JoinError::Store(error)) => return Err(error.into()),
        };
        self.watch.note(joined.line);
        let place =
            Place { queue: self.parts.queue, number: joined.number, user, issued_at: self.parts.clock.now() };
        let sight = self.watch.look(joined.number, joined.line);
        let token = self.parts.sealer.seal(&place);
        Ok(Ticket { token, outlook: self.outlook(joined.number, joined.standing, sight, false) })
    }

    /// Tells the holder of a token where they stand. Touches no store while they wait, and goes on answering from what
    /// this node last knew when the store cannot be asked.
    ///
    /// # Errors
    /// [`QueueError::Forged`], or [`QueueError::Gone`] for a token beyond its lifetime.
    pub async fn ask(&self, token: &str) -> Result<Outlook, QueueError> {
        let (place, sight) = self.open(token)?;
        let is_stale = self.is_stale();
        let (standing, is_stale) = match sight {
            Sight { is_called: true, .. } => match self.parts.store.standing(&place).await {
                Ok(standing) => (standing, is_stale),
                Err(_) => (Standing::Called { until: self.parts.clock.now() }, true),
            },
            Sight { has_left: true, .. } => (Standing::Gone, is_stale),
            Sight { .. } => (Standing::Waiting, is_stale),
        };
        Ok(self.outlook(place.number, standing, sight, is_stale))
    }

    /// Lets the holder of a called token in, claiming the call at its first use. A node that has lost sight of the line lets
    /// nobody in: a session it remembers may have been given back elsewhere.
    ///
    /// # Errors
    /// [`QueueError::Forged`], [`QueueError::NotYet`], [`QueueError::Gone`] or [`QueueError::Store`].
    pub async fn admit(&self, token: &str) -> Result<Session, QueueError> {
        let (place, sight) = self.open(token)?;
        let is_stale = self.is_stale();
        let not_yet = || QueueError::NotYet(self.outlook(place.number, Standing::Waiting, sight, is_stale));
        match sight {
            Sight { is_called: true, .. } => {}
            Sight { has_left: true, .. } => return Err(QueueError::Gone),
            Sight { .. } => return Err(not_yet()),
        }
        if is_stale {
            return Err(lost_sight().into());
        }
        self.parts.store.claim(&place).await.map_err(|error| match error {
            ClaimError::NotYet => not_yet(),
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
        let (place, _) = self.open(token)?;
        let mut given_back = self.parts.store.give_back(&place).await;
        if matches!(given_back, Err(GiveBackError::NotFound)) {
            // The token proves that the number was given: a store that does not know it has lost something.
            self.parts.store.snapshot(self.watch.line()).await?;
            given_back = self.parts.store.give_back(&place).await;
        }
        given_back.map_err(|error| match error {
            GiveBackError::NotFound | GiveBackError::Gone => QueueError::Gone,
            GiveBackError::NotHolder => TokenRejected::BadSignature.into(),
            GiveBackError::Store(error) => error.into(),
        })
    }

    /// One step of the loop every node runs: calls whoever may be called and refreshes this node's view, in one question
    /// to the store, however many people ask.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell; the view stays as it was, and grows old.
    pub async fn advance(&self) -> Result<Called, PortError> {
        let asked_at = self.parts.clock.now();
        let called = self.parts.store.call_next(self.watch.line()).await?;
        self.watch.learn(&called.snapshot, asked_at);
        Ok(called)
    }

    /// One step of the loop that keeps the checkpoint: reads it at first, and from then on remembers how far the line has
    /// come. Until it was read nobody can join.
    ///
    /// # Errors
    /// [`PortError`] when the checkpoint, or at first the store, could not be asked.
    pub async fn remember(&self) -> Result<(), PortError> {
        let Some(reserved) = &self.reserved else { return Ok(()) };
        let queue = self.parts.queue;
        let floor = reserved.load(queue, self.parts.store.as_ref()).await?;
        self.watch.note(floor);
        reserved.save(queue, self.watch.line(), self.parts.clock.now()).await
    }

    /// Whether this node's view of the line is older than it may be.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.watch.age(self.parts.clock.now()) > self.parts.stale_after
    }

    /// The line as far as this node has seen it.
    #[must_use]
    pub fn line(&self) -> Line {
        self.watch.line()
    }

    /// How far numbers must and may reach.
    fn bounds(&self) -> Result<Bounds, PortError> {
        let floor = self.watch.line();
        match &self.reserved {
            None => Ok(Bounds::above(floor)),
            Some(reserved) => {
                let ceiling = reserved.ceiling().ok_or_else(not_reserved)?;
                Ok(Bounds { floor, ceiling })
            }
        }
    }

    /// Reads a token and looks where its number is.
    fn open(&self, token: &str) -> Result<(Place, Sight), QueueError> {
        let place = self.parts.sealer.open(token)?;
        if place.queue != self.parts.queue {
            return Err(TokenRejected::ForeignQueue.into());
        }
        let age =
            Duration::try_from(self.parts.clock.now().duration_since(place.issued_at)).unwrap_or_default();
        if age > self.parts.token_ttl {
            return Err(QueueError::Gone);
        }
        self.watch.note_number(place.number);
        let sight = self.watch.look(place.number, self.watch.line());
        Ok((place, sight))
    }

    /// A place of a full line frees when somebody is called: one step of the fastest rate, and not below a second.
    fn room_expected_in(&self) -> Duration {
        let one_call = 1.0 / self.parts.policy.fastest_rate();
        Duration::try_from_secs_f64(one_call).unwrap_or_default().max(Duration::from_secs(1))
    }

    fn outlook(&self, number: QueueNumber, standing: Standing, sight: Sight, is_stale: bool) -> Outlook {
        let now = self.parts.clock.now();
        let pacing = &self.parts.pacing;
        let (position, eta) = match standing {
            Standing::Waiting => (sight.position, sight.eta),
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
        Outlook { number, standing, is_stale, position, eta, poll_after }
    }
}

/// What answers for the line, as an operator knows it.
const STORE: &str = "queue store";

fn lost_sight() -> PortError {
    PortError::new(PortErrorKind::Unavailable, STORE).because("this node has not seen the line for too long")
}

fn not_reserved() -> PortError {
    PortError::new(PortErrorKind::Unavailable, STORE).because("no number is reserved in the checkpoint")
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::queue::ports::{Joined, MockQueueStore, MockTokenSealer};
    use crate::queue::{Checkpoint, CheckpointStore, Departures, Snapshot};
    use crate::{PortErrorKind, Timestamp};

    /// Runs a use case whose ports answer at once; there is nothing here that could wait.
    fn run(test: impl Future<Output = ()>) {
        let polled = pin!(test).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "a use case waits for something besides its ports");
    }

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
            token_ttl: Duration::from_secs(3_600),
            stale_after: Duration::from_secs(1),
            store: Arc::new(store),
            sealer: Arc::new(plain_sealer()),
            reserve: None,
            clock: Arc::new(StoppedClock),
        })
    }

    fn store_at(line: Line, departures: &'static [u64]) -> MockQueueStore {
        let mut store = MockQueueStore::new();
        let snapshot = move || {
            let departures = Departures::new(departures.to_vec());
            Snapshot { line, departures, called: 0, active: 0, recovers: false, at: Timestamp::UNIX_EPOCH }
        };
        store.expect_call_next().returning(move |_| Ok(Called { count: 0, snapshot: snapshot() }));
        store.expect_snapshot().returning(move |_| Ok(snapshot()));
        store
    }

    fn down() -> PortError {
        PortError::new(PortErrorKind::Unavailable, "queue store")
    }

    #[test]
    fn asking_while_waiting_touches_no_store() {
        run(async {
            // The mock has no expectation for `standing`: any such call would fail the test.
            let service = service_of("main", store_at(Line::new(1_000, 200), &[250, 300]));
            service.advance().await.unwrap();
            let outlook = service.ask("700").await.unwrap();
            assert_eq!(outlook.standing, Standing::Waiting);
            assert_eq!(outlook.position.get(), 498);
            assert_eq!(outlook.eta, Duration::from_millis(4_980));
            assert_eq!(service.ask("300").await.unwrap().standing, Standing::Gone, "300 left");
            assert!(matches!(service.admit("300").await, Err(QueueError::Gone)));
        });
    }

    #[test]
    fn admitting_somebody_who_was_not_called_touches_no_store() {
        run(async {
            let service = service_of("main", store_at(Line::new(10, 2), &[]));
            service.advance().await.unwrap();
            let Err(QueueError::NotYet(outlook)) = service.admit("6").await else { panic!("not called yet") };
            assert_eq!(outlook.position.get(), 4);
        });
    }

    #[test]
    fn what_a_node_has_seen_is_the_floor_of_its_next_join() {
        run(async {
            let mut store = store_at(Line::new(50, 20), &[]);
            store.expect_join().withf(|_, bounds| bounds.floor == Line::new(90, 20)).times(1).returning(
                |_, bounds| {
                    let (number, line) = (number(91), Line::new(91, bounds.floor.serving()));
                    Ok(Joined { number, rejoined: false, standing: Standing::Waiting, line })
                },
            );
            let service = service_of("main", store);
            service.advance().await.unwrap();
            service.ask("90").await.unwrap();
            let ticket = service.join(UserId::new(7).unwrap()).await.unwrap();
            assert_eq!(ticket.token.as_str(), "91");
            assert_eq!(service.line(), Line::new(91, 20));
        });
    }

    #[test]
    fn a_token_of_another_queue_is_foreign() {
        run(async {
            let service = service_of("other", MockQueueStore::new());
            let refused = |error| matches!(error, QueueError::Forged(TokenRejected::ForeignQueue));
            assert!(refused(service.ask("1").await.unwrap_err()));
            assert!(refused(service.admit("1").await.unwrap_err()));
            assert!(refused(service.leave("1").await.unwrap_err()));
            assert_eq!(service.line(), Line::default(), "and moves nothing");
        });
    }

    #[test]
    fn a_token_of_a_sale_that_is_over_moves_nothing() {
        run(async {
            let mut sealer = MockTokenSealer::new();
            sealer.expect_open().returning(|_| {
                let (queue, user) = (QueueId::parse("main").unwrap(), UserId::new(7).unwrap());
                let issued_at = Timestamp::UNIX_EPOCH - Duration::from_secs(3_601);
                Ok(Place { queue, number: number(1_000_000), user, issued_at })
            });
            let mut service = service_of("main", MockQueueStore::new());
            service.parts.sealer = Arc::new(sealer);
            assert!(matches!(service.ask("old").await, Err(QueueError::Gone)));
            assert!(matches!(service.leave("old").await, Err(QueueError::Gone)));
            assert_eq!(service.line(), Line::default());
        });
    }

    #[test]
    fn leaving_with_a_number_the_store_has_lost_raises_the_store_first() {
        run(async {
            let mut store = store_at(Line::default(), &[]);
            let mut asked = 0;
            store.expect_give_back().times(2).returning(move |_| {
                asked += 1;
                if asked == 1 { Err(GiveBackError::NotFound) } else { Ok(()) }
            });
            service_of("main", store).leave("40").await.unwrap();
        });
    }

    #[test]
    fn a_store_that_is_down_is_told_apart_and_leaves_the_view_as_it_was() {
        run(async {
            let mut store = MockQueueStore::new();
            store.expect_join().returning(|_, _| Err(down().into()));
            store.expect_call_next().returning(|_| Err(down()));
            store.expect_give_back().returning(|_| Err(down().into()));
            let service = service_of("main", store);
            assert!(matches!(service.join(UserId::new(7).unwrap()).await, Err(QueueError::Store(_))));
            assert!(matches!(service.leave("3").await, Err(QueueError::Store(_))));
            assert_eq!(service.advance().await.unwrap_err().kind(), PortErrorKind::Unavailable);
            assert_eq!(service.ask("3").await.unwrap().position.get(), 3, "where am I? goes on");
        });
    }

    /// A checkpoint in a cell.
    #[derive(Default)]
    struct Cell(std::sync::Mutex<Option<Checkpoint>>);

    #[async_trait::async_trait]
    impl CheckpointStore for Cell {
        async fn load(&self, _: QueueId) -> Result<Option<Checkpoint>, PortError> {
            Ok(*self.0.lock().unwrap())
        }

        async fn save(&self, _: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
            let mut cell = self.0.lock().unwrap();
            let remembered = cell.map_or(checkpoint, |before| before.raised_to(checkpoint));
            Ok(*cell.insert(remembered))
        }
    }

    fn reserving(mut service: QueueService, cell: &Arc<Cell>) -> QueueService {
        service.reserved = Some(Reserved::new(Reserve { store: cell.clone(), numbers: 100 }));
        service
    }

    fn cell(last: u64, serving: u64, ceiling: u64) -> Arc<Cell> {
        let checkpoint = Checkpoint::new(Line::new(last, serving), ceiling);
        Arc::new(Cell(std::sync::Mutex::new(Some(checkpoint))))
    }

    #[test]
    fn nobody_joins_before_the_checkpoint_was_read() {
        run(async {
            let mut store = store_at(Line::START, &[]);
            store.expect_join().withf(|_, bounds| bounds.ceiling == 100).times(1).returning(|_, bounds| {
                let (number, line) = (number(1), Line::new(1, bounds.floor.serving()));
                Ok(Joined { number, rejoined: false, standing: Standing::Waiting, line })
            });
            let service = reserving(service_of("main", store), &Arc::default());
            let user = UserId::new(7).unwrap();
            assert!(matches!(service.join(user).await, Err(QueueError::Store(_))));
            service.remember().await.unwrap();
            service.join(user).await.unwrap();
        });
    }

    #[test]
    fn a_store_behind_its_checkpoint_goes_on_above_the_ceiling() {
        run(async {
            let empty = reserving(service_of("main", store_at(Line::START, &[])), &cell(50, 20, 150));
            empty.remember().await.unwrap();
            assert_eq!(empty.line(), Line::new(150, 20));
        });
    }

    #[test]
    fn a_store_that_lost_nothing_goes_on_where_it_is() {
        run(async {
            let whole = reserving(service_of("main", store_at(Line::new(90, 30), &[])), &cell(50, 20, 150));
            whole.remember().await.unwrap();
            assert_eq!(whole.line(), Line::START, "nothing is learned from the checkpoint");
        });
    }

    #[test]
    fn more_numbers_are_reserved_before_they_are_used_up() {
        run(async {
            let cell = cell(0, 0, 100);
            let service = reserving(service_of("main", store_at(Line::new(60, 0), &[])), &cell);
            service.remember().await.unwrap();
            service.advance().await.unwrap();
            service.remember().await.unwrap();
            let remembered = cell.0.lock().unwrap().unwrap();
            assert_eq!(remembered.line, Line::new(60, 0));
            assert!(remembered.ceiling >= 160, "{remembered:?}");
        });
    }

    #[test]
    fn a_full_line_says_when_to_try_again() {
        run(async {
            let mut store = MockQueueStore::new();
            store.expect_join().returning(|_, _| Err(JoinError::LineFull));
            let service = service_of("main", store);
            let Err(QueueError::LineFull { retry_after }) = service.join(UserId::new(7).unwrap()).await
            else {
                panic!("the line is full")
            };
            assert_eq!(retry_after, Duration::from_secs(1));
        });
    }
}
