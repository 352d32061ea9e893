//! Correct and broken queues under many concurrent tasks, recorded and checked end to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapter_memory::{MemoryQueue, SteadyClock};
use async_trait::async_trait;
use contracts::history::{Completion, History, Invocation, Rule, Rules, check};
use domain::queue::{
    AdmissionPolicy, Called, Checkpoint, ClaimError, Expiry, JoinError, Joined, NumberBounds,
    PlaceStatus, PolicySpec, QueueCounters, QueueId, QueueNumber, QueueStore, QueueTime,
    ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId,
};
use domain::{PortError, Timestamp};

const USERS: u64 = 60;
const MAX_ACTIVE: u32 = 10;
const SESSION: Duration = Duration::from_secs(3_600);
const LIMIT: Duration = Duration::from_secs(60);

const RULES: Rules = Rules {
    max_active: Some(MAX_ACTIVE),
    view_lag: Duration::ZERO,
    places_end_after: Some(SESSION),
    position_slack: 0,
    is_drained: true,
    places_survive: true,
};

/// The fault of a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    GivesNumbersTwice,
    ForgetsStayers,
    IgnoresLimit,
    NumbersFall,
    CallsOutOfTurn,
    LosesAPlace,
}

struct Broken {
    inner: MemoryQueue,
    fault: Fault,
    /// The last number returned.
    last: AtomicU64,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        let max_active = if fault == Fault::IgnoresLimit { MAX_ACTIVE * 3 } else { MAX_ACTIVE };
        let policy = PolicySpec {
            batch: 10,
            every: Duration::from_millis(5),
            max_active,
            claim_within: SESSION,
            session_ttl: SESSION,
            max_waiting: 1_000,
        };
        let clock = Arc::new(SteadyClock::starting_at(Timestamp::from_second(1_000_000).unwrap()));
        let inner = MemoryQueue::new(AdmissionPolicy::new(policy).unwrap(), clock);
        Self { inner, fault, last: AtomicU64::new(0) }
    }

    /// Converts a number between the store's form and the clients'; it is its own inverse.
    fn turned(&self, number: QueueNumber) -> QueueNumber {
        match self.fault {
            Fault::NumbersFall => QueueNumber::new(1_000_000 - number.get()).unwrap(),
            _ => number,
        }
    }

    fn inside(&self, place: &TokenClaims) -> TokenClaims {
        TokenClaims { number: self.turned(place.number), ..*place }
    }
}

#[async_trait]
impl QueueStore for Broken {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        let mut joined = self.inner.join(user, presented, bounds).await?;
        if self.fault == Fault::ForgetsStayers && joined.rejoined && is_stayer(user.get()) {
            joined =
                self.inner.join(UserId::new(user.get() + 1_000).unwrap(), None, bounds).await?;
        }
        joined.number = self.turned(joined.number);
        let before = self.last.swap(joined.number.get(), Ordering::SeqCst);
        // Only for a few users that receive their first response.
        let is_chosen =
            user.get().is_multiple_of(10) && !user.get().is_multiple_of(3) && !joined.rejoined;
        if self.fault == Fault::GivesNumbersTwice && is_chosen {
            joined.number = QueueNumber::new(before).unwrap_or(joined.number);
        }
        Ok(joined)
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        self.inner.call_next(floor, shown).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.inner.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.inner.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        let place_status = self.inner.place_status(&self.inside(place)).await?;
        Ok(match (self.fault, place_status) {
            (Fault::CallsOutOfTurn, PlaceStatus::Waiting)
                if place.number.get().is_multiple_of(10) =>
            {
                PlaceStatus::Called {
                    until: Expiry::new(QueueTime::from_micros(u64::MAX), QueueTime::START),
                }
            }
            (Fault::LosesAPlace, _) if place.user.get() == 30 => PlaceStatus::Gone,
            _ => place_status,
        })
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.inner.claim(&self.inside(place)).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.inner.release(&self.inside(place)).await
    }
}

/// Whether this user keeps their session to the end.
fn is_stayer(user: u64) -> bool {
    user.is_multiple_of(20)
}

/// The pause between two polls.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// One sale and its history.
struct Sale {
    store: Broken,
    history: History,
    inside: AtomicU64,
    most_inside: AtomicU64,
    /// The time that each user stays inside, so that others can enter.
    patience: Duration,
}

impl Sale {
    async fn join(&self, requested: Invocation) -> Option<QueueNumber> {
        let op = self.history.begin(requested);
        match self.store.join(requested.user(), None, NumberBounds::NONE).await {
            Ok(Joined { number, rejoined, .. }) => {
                op.end(Completion::Number { number, rejoined });
                Some(number)
            }
            Err(_) => {
                op.end(Completion::Refused);
                None
            }
        }
    }

    /// Joins and discards the response.
    async fn lose_join(&self, user: UserId) {
        let op = self.history.begin(Invocation::Join { user });
        self.store.join(user, None, NumberBounds::NONE).await.unwrap();
        drop(op);
    }

    async fn request(&self, place: &TokenClaims) -> Completion {
        let op = self.history.begin(Invocation::Ask { user: place.user, number: place.number });
        let reported = match self.store.place_status(place).await.unwrap() {
            PlaceStatus::Waiting => {
                let seen = self.store.snapshot(QueueCounters::default()).await.unwrap();
                match seen.vacant.position_of(self.store.turned(place.number), seen.counters).get()
                {
                    0 => Completion::Called,
                    position => Completion::Waiting { position },
                }
            }
            PlaceStatus::Called { .. } => Completion::Called,
            PlaceStatus::Active { .. } => Completion::Active,
            PlaceStatus::Gone => Completion::Gone,
        };
        op.end(reported);
        reported
    }

    async fn admit(&self, place: &TokenClaims) -> Completion {
        let op = self.history.begin(Invocation::Admit { user: place.user, number: place.number });
        let reported = match self.store.claim(place).await {
            Ok(_) => Completion::LetIn { until_after: SESSION },
            Err(ClaimError::NotYet) => Completion::NotYet,
            Err(ClaimError::Gone) => Completion::Gone,
            Err(ClaimError::NotFound | ClaimError::NotHolder) => Completion::Refused,
            Err(ClaimError::Store(_)) => Completion::Unknown,
        };
        op.end(reported);
        reported
    }

    async fn leave(&self, place: &TokenClaims) {
        let op = self.history.begin(Invocation::Leave { user: place.user, number: place.number });
        let reported = match self.store.release(place).await {
            Ok(()) => Completion::Left,
            Err(ReleaseError::Gone) => Completion::Gone,
            Err(ReleaseError::NotFound | ReleaseError::NotHolder) => Completion::Refused,
            Err(ReleaseError::Store(_)) => Completion::Unknown,
        };
        // Every thirteenth user loses the response.
        if !place.user.get().is_multiple_of(13) {
            op.end(reported);
        }
    }

    /// The whole visit of one user.
    async fn visit(&self, id: u64) {
        let user = UserId::new(id).unwrap();
        let seen = self.store.snapshot(QueueCounters::default()).await.unwrap();
        let incarnation = seen.incarnations.oldest().unwrap();
        let place = |number| TokenClaims {
            queue: QueueId::parse("main").unwrap(),
            incarnation,
            number,
            user,
            issued_at: Timestamp::UNIX_EPOCH,
        };
        if id.is_multiple_of(3) {
            self.lose_join(user).await;
        }
        let Some(mut number) = self.join(Invocation::Join { user }).await else { return };
        if id.is_multiple_of(11) {
            self.leave(&place(number)).await;
            let Some(next) = self.join(Invocation::Join { user }).await else { return };
            number = next;
        }
        let place = place(number);
        if self.wait_and_go_in(&place).await {
            self.stay().await;
            if !is_stayer(id) {
                self.inside.fetch_sub(1, Ordering::SeqCst);
                self.leave(&place).await;
            }
        }
    }

    /// Whether the user was admitted, rather than refused or gone.
    async fn wait_and_go_in(&self, place: &TokenClaims) -> bool {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match self.request(place).await {
                Completion::Called | Completion::Active => match self.admit(place).await {
                    Completion::LetIn { .. } => return true,
                    Completion::NotYet => pause().await,
                    _ => return false,
                },
                Completion::Waiting { .. } => pause().await,
                _ => return false,
            }
        }
        panic!("{place:?} was never called");
    }

    /// Stays until too many are inside or `patience` has passed.
    async fn stay(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        let start = Instant::now();
        while start.elapsed() < self.patience
            && self.most_inside.load(Ordering::SeqCst) <= u64::from(MAX_ACTIVE)
        {
            pause().await;
        }
    }
}

/// Records a sale from the first join to the last user served, followed by a `FindAgain` of every
/// user.
async fn record(fault: Fault) -> History {
    let patience = if fault == Fault::IgnoresLimit { LIMIT } else { Duration::from_millis(20) };
    let sale = Arc::new(Sale {
        store: Broken::new(fault),
        history: History::new(),
        inside: AtomicU64::new(0),
        most_inside: AtomicU64::new(0),
        patience,
    });
    let caller = Arc::clone(&sale);
    let calling = tokio::spawn(async move {
        loop {
            caller.store.call_next(QueueCounters::default(), None).await.unwrap();
            pause().await;
        }
    });
    let visits: Vec<_> = (1..=USERS)
        .map(|id| {
            let sale = Arc::clone(&sale);
            tokio::spawn(async move { sale.visit(id).await })
        })
        .collect();
    for visit in visits {
        visit.await.unwrap();
    }
    calling.abort();
    for id in 1..=USERS {
        sale.join(Invocation::FindAgain { user: UserId::new(id).unwrap() }).await;
    }
    sale.history.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_keeps_the_rules_passes() {
    let history = record(Fault::None).await;
    if let Err(findings) = check(&history, &RULES) {
        panic!("{findings}");
    }
    let summary = history.summary();
    assert_eq!(summary.count("join", "unknown"), USERS / 3);
    assert_eq!(summary.count("admit", "let-in"), USERS);
    assert_eq!(summary.count("find-again", "number"), USERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_breaks_a_rule_is_detected() {
    for (fault, rule) in [
        (Fault::GivesNumbersTwice, Rule::NumbersAreUnique),
        (Fault::ForgetsStayers, Rule::NobodyForgotten),
        (Fault::IgnoresLimit, Rule::Limit),
        (Fault::NumbersFall, Rule::OrderOfJoins),
        (Fault::CallsOutOfTurn, Rule::OrderOfCalls),
        (Fault::LosesAPlace, Rule::GoneForAReason),
    ] {
        let history = record(fault).await;
        let verdict = check(&history, &RULES);
        assert!(
            verdict.as_ref().is_err_and(|findings| findings.has(rule)),
            "{fault:?}: {verdict:?}"
        );
    }
}
