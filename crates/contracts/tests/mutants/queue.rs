//! Queues with seeded faults.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_memory::{ManualClock, MemoryQueue};
use async_trait::async_trait;
use contracts::queue::{QueueFixture, QueueHarness, RULES};
use domain::queue::{
    AdmissionPolicy, Called, Checkpoint, ClaimError, Expiry, JoinError, Joined, NumberBounds,
    PlaceStatus, PolicySpec, QueueCounters, QueueId, QueueNumber, QueueStore, QueueTime,
    ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId,
};
use domain::{Clock, PortError, Timestamp};

/// The fault of a store.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// The store keeps a different policy from the one it was given.
    Policy(fn(PolicySpec) -> PolicySpec),
    /// The next number is read, and written back after a pause.
    NumbersRace,
    NewNumberForReturning,
    /// The holder of a place is read, and written back after a pause.
    HoldersRace,
    EndedPlacesKept,
    ServingGoesBack,
    NewcomersNotCalled,
    SlotsNotFreedByGivingBack,
    WaitingPlacesNotGivenBack,
    AnybodyGivesBack,
    AnybodyClaims,
    /// The claim of a call is read, and written back after a pause.
    ClaimsRace,
    /// Every token is admitted, even if its user already has another.
    EachTokenLetIn,
    NotFoundIsGone,
    FullForHoldersToo,
    /// Each answer about a session counts as a claim.
    ClaimsCountedAgain,
    FloorsIgnored,
    CeilingsIgnored,
    TokensIgnored,
    /// Every checkpoint raises the queue again.
    CheckpointsTakenInAgain,
    NumbersFillTheLine,
    /// The number in a token counts as a floor.
    ShownIsAFloor,
    /// A token is valid for any incarnation of the queue.
    AnyLifeIsGood,
    /// Tokens in status requests are not recorded.
    TokensUnseen,
}

/// The fault that each rule has to detect.
const FAULTS: &[(&str, Fault)] = &[
    ("rule_1_gives_no_number_twice", Fault::NumbersRace),
    ("rule_2_gives_a_returning_user_the_same_number", Fault::NewNumberForReturning),
    ("rule_2_gives_one_user_one_number_under_concurrency", Fault::HoldersRace),
    ("rule_2_gives_a_fresh_number_once_a_place_has_ended", Fault::EndedPlacesKept),
    ("rule_3_calls_people_in_the_order_of_their_numbers", Fault::ServingGoesBack),
    (
        "rule_4_never_admits_more_than_max_active",
        Fault::Policy(|spec| PolicySpec { max_active: spec.max_active + 1, ..spec }),
    ),
    (
        "rule_5_keeps_every_window_within_its_budget",
        Fault::Policy(|spec| PolicySpec { batch: spec.batch * 3, ..spec }),
    ),
    (
        "rule_5_saves_no_more_than_one_batch",
        Fault::Policy(|spec| PolicySpec { batch: spec.batch * 3, every: spec.every * 3, ..spec }),
    ),
    ("rule_5_calls_a_join_in_an_empty_queue_at_once", Fault::NewcomersNotCalled),
    (
        "rule_5_uses_the_whole_budget_while_people_wait",
        Fault::Policy(|spec| PolicySpec { batch: spec.batch - 1, ..spec }),
    ),
    (
        "rule_6_a_call_lapses_and_frees_its_slot",
        Fault::Policy(|spec| PolicySpec {
            claim_within: spec.claim_within + Duration::from_millis(1),
            ..spec
        }),
    ),
    (
        "rule_6_a_session_ends_and_frees_its_slot",
        Fault::Policy(|spec| PolicySpec {
            session_ttl: spec.session_ttl + Duration::from_millis(1),
            ..spec
        }),
    ),
    ("rule_6_leaving_frees_the_slot_at_the_next_call", Fault::SlotsNotFreedByGivingBack),
    ("rule_6_leaving_while_waiting_uses_no_budget", Fault::WaitingPlacesNotGivenBack),
    ("rule_7_only_the_holder_can_leave", Fault::AnybodyGivesBack),
    ("rule_8_admits_only_called_users", Fault::AnybodyClaims),
    ("rule_8_claims_a_call_once_under_concurrency", Fault::ClaimsRace),
    ("rule_8_gives_a_user_one_session", Fault::EachTokenLetIn),
    ("rule_9_distinguishes_every_refusal", Fault::NotFoundIsGone),
    ("rule_9_a_full_queue_still_finds_its_holders", Fault::FullForHoldersToo),
    ("the_outcomes_count_each_end_once", Fault::ClaimsCountedAgain),
    ("floors_raise_the_queue_and_never_lower_it", Fault::FloorsIgnored),
    ("new_numbers_do_not_exceed_the_ceiling", Fault::CeilingsIgnored),
    ("rule_2_finds_the_place_of_a_token", Fault::TokensIgnored),
    ("checkpoints_are_applied_once", Fault::CheckpointsTakenInAgain),
    ("rule_9_counts_people_against_the_limit", Fault::NumbersFillTheLine),
    ("visitors_do_not_block_joins", Fault::ShownIsAFloor),
    ("one_incarnation_is_adopted_within_a_short_time", Fault::AnyLifeIsGood),
    ("rule_3_calls_token_holders_in_order", Fault::TokensUnseen),
];

struct Broken {
    inner: MemoryQueue,
    fault: Fault,
    policy: AdmissionPolicy,
    counter: AtomicU64,
    inside: AtomicU64,
    /// The first user who got each number, and the first number of each user.
    given: Mutex<(HashMap<QueueNumber, UserId>, HashMap<UserId, QueueNumber>)>,
    aliases: Mutex<HashMap<UserId, UserId>>,
    claims: Mutex<HashMap<QueueNumber, Expiry>>,
}

impl Broken {
    fn new(fault: Fault, policy: AdmissionPolicy, clock: Arc<ManualClock>) -> Self {
        let kept = match fault {
            Fault::Policy(change) => AdmissionPolicy::new(change(*policy.spec())).unwrap(),
            _ => policy,
        };
        let inner = MemoryQueue::new(kept, Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            inner,
            fault,
            policy,
            counter: AtomicU64::new(0),
            inside: AtomicU64::new(0),
            given: Mutex::default(),
            aliases: Mutex::default(),
            claims: Mutex::default(),
        }
    }

    fn count(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn floor(&self, floor: QueueCounters) -> QueueCounters {
        if matches!(self.fault, Fault::FloorsIgnored) { QueueCounters::default() } else { floor }
    }

    fn bounds(&self, bounds: NumberBounds) -> NumberBounds {
        let ceiling = if matches!(self.fault, Fault::CeilingsIgnored) {
            NumberBounds::NONE.ceiling
        } else {
            bounds.ceiling
        };
        NumberBounds { floor: self.floor(bounds.floor), ceiling }
    }

    async fn is_full(&self) -> bool {
        let counters = self.inner.snapshot(QueueCounters::default()).await.unwrap().counters;
        counters.waiting() >= u64::from(self.policy.spec().max_waiting)
    }

    /// Pauses until another task arrives here, or long enough that none is coming.
    async fn moment(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10_000 {
            if self.inside.load(Ordering::SeqCst) > 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// A different user for each call.
    fn alias(&self, user: UserId) -> UserId {
        UserId::new(user.get() + (self.count() << 40)).unwrap()
    }

    /// Always the same other user, unless two requests run concurrently.
    async fn alias_after_a_moment(&self, user: UserId) -> UserId {
        let known = self.aliases.lock().unwrap().get(&user).copied();
        if let Some(alias) = known {
            return alias;
        }
        self.moment().await;
        let alias = self.alias(user);
        self.aliases.lock().unwrap().insert(user, alias);
        alias
    }

    /// Always the same end, unless two claims run concurrently.
    async fn claim_after_a_moment(&self, session: Session) -> Session {
        let known = self.claims.lock().unwrap().get(&session.number).copied();
        if let Some(until) = known {
            return Session { until, ..session };
        }
        self.moment().await;
        let at = session.until.at + Duration::from_micros(self.count());
        let until = Expiry { at, ..session.until };
        self.claims.lock().unwrap().insert(session.number, until);
        Session { until, ..session }
    }

    /// The place as its real holder presents it.
    fn as_holder(&self, place: &TokenClaims) -> TokenClaims {
        let user = self.given.lock().unwrap().0.get(&place.number).copied().unwrap_or(place.user);
        TokenClaims { user, ..*place }
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
        if matches!(self.fault, Fault::FullForHoldersToo | Fault::NumbersFillTheLine)
            && self.is_full().await
        {
            return Err(JoinError::QueueFull);
        }
        let stored_as = match self.fault {
            Fault::NewNumberForReturning => self.alias(user),
            Fault::HoldersRace => self.alias_after_a_moment(user).await,
            _ => user,
        };
        let presented = presented.filter(|_| !matches!(self.fault, Fault::TokensIgnored));
        let mut joined = self.inner.join(stored_as, presented, self.bounds(bounds)).await?;
        if matches!(self.fault, Fault::NumbersRace) {
            let last = self.counter.load(Ordering::SeqCst);
            self.moment().await;
            self.counter.store(last + 1, Ordering::SeqCst);
            joined.number = QueueNumber::new(last + 1).unwrap();
        }
        let mut given = self.given.lock().unwrap();
        let first_number = *given.1.entry(user).or_insert(joined.number);
        given.0.entry(joined.number).or_insert(user);
        match self.fault {
            Fault::EndedPlacesKept => joined.number = first_number,
            Fault::NewcomersNotCalled => joined.place_status = PlaceStatus::Waiting,
            _ => {}
        }
        Ok(joined)
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        if matches!(self.fault, Fault::ShownIsAFloor)
            && let Some(shown) = shown
        {
            return self
                .inner
                .call_next(floor.raised_to(QueueCounters::new(shown.number.get(), 0)), None)
                .await;
        }
        self.inner.call_next(self.floor(floor), shown).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        let mut snapshot = self.inner.snapshot(self.floor(floor)).await?;
        if matches!(self.fault, Fault::ServingGoesBack) && self.count().is_multiple_of(4) {
            snapshot.counters =
                QueueCounters::new(snapshot.counters.last(), snapshot.counters.serving() / 2);
        }
        if matches!(self.fault, Fault::ClaimsCountedAgain) {
            snapshot.outcomes.claimed = self.counter.load(Ordering::SeqCst);
        }
        Ok(snapshot)
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        if matches!(self.fault, Fault::CheckpointsTakenInAgain)
            && let Some(checkpoint) = checkpoint
        {
            return self
                .inner
                .snapshot(QueueCounters::new(checkpoint.ceiling, checkpoint.counters.serving()))
                .await;
        }
        self.inner.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        let seen = self.inner.snapshot(QueueCounters::default()).await?;
        if matches!(self.fault, Fault::TokensUnseen) && place.number.get() > seen.counters.last() {
            return Ok(PlaceStatus::Waiting);
        }
        let life =
            seen.incarnations.oldest().filter(|_| matches!(self.fault, Fault::AnyLifeIsGood));
        self.inner
            .place_status(&TokenClaims { incarnation: life.unwrap_or(place.incarnation), ..*place })
            .await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        let session_from_nothing = Session {
            number: place.number,
            user: place.user,
            until: Expiry::new(QueueTime::from_micros(1), QueueTime::START),
        };
        if matches!(self.fault, Fault::EachTokenLetIn) {
            let other = TokenClaims { user: self.alias(place.user), ..*place };
            if let Ok(session) = self.inner.claim(&other).await {
                return Ok(session);
            }
        }
        match (self.fault, self.inner.claim(place).await) {
            (Fault::AnybodyClaims, Err(_)) => Ok(session_from_nothing),
            (Fault::NotFoundIsGone, Err(ClaimError::NotFound)) => Err(ClaimError::Gone),
            (Fault::ClaimsCountedAgain, Ok(session)) => {
                self.count();
                Ok(session)
            }
            (Fault::ClaimsRace, Ok(session)) => Ok(self.claim_after_a_moment(session).await),
            (_, answer) => answer,
        }
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        let is_waiting =
            self.inner.place_status(place).await.is_ok_and(|s| s == PlaceStatus::Waiting);
        match self.fault {
            Fault::AnybodyGivesBack => self.inner.release(&self.as_holder(place)).await,
            Fault::WaitingPlacesNotGivenBack if is_waiting => Ok(()),
            Fault::SlotsNotFreedByGivingBack if !is_waiting => Ok(()),
            _ => self.inner.release(place).await,
        }
    }
}

struct Harness {
    store: Arc<Broken>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl QueueHarness for Harness {
    fn queue(&self) -> QueueId {
        QueueId::parse("mutant").unwrap()
    }

    fn nodes(&self) -> Vec<Arc<dyn QueueStore>> {
        vec![self.store.clone(), self.store.clone()]
    }

    async fn advance(&self, by: Duration) {
        let steps = by.as_micros().div_ceil(QueueTime::LONGEST_STEP.as_micros());
        for step in 0..steps {
            let passed = QueueTime::LONGEST_STEP * u32::try_from(step).unwrap();
            self.clock.advance((by - passed).min(QueueTime::LONGEST_STEP));
            self.store.inner.snapshot(QueueCounters::START).await.unwrap();
        }
    }
}

struct Mutant(Fault);

#[async_trait]
impl QueueFixture for Mutant {
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_000_000).unwrap()));
        Box::new(Harness {
            store: Arc::new(Broken::new(self.0, policy, Arc::clone(&clock))),
            clock,
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_queue_rule_detects_its_fault() {
    for (name, rule) in RULES {
        let (_, fault) = FAULTS
            .iter()
            .find(|(of, _)| of == name)
            .unwrap_or_else(|| panic!("no mutant for {name}"));
        assert!(rule(&Mutant(*fault)).await.is_err(), "{name} did not detect {fault:?}");
        if let Err(violation) = rule(&Mutant(Fault::None)).await {
            panic!("{name} fails on a correct store: {violation}");
        }
    }
}
