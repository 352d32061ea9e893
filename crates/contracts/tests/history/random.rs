//! Every history of a queue that keeps the rules passes, however little and however late its
//! clients observe.

use std::sync::Arc;

use adapter_memory::{ManualClock, MemoryQueue};
use contracts::history::{History, Rules, check};
use domain::Timestamp;
use domain::queue::{
    AdmissionPolicy, ClaimError, Incarnation, NumberBounds, PlaceStatus, PolicySpec, QueueCounters,
    QueueId, QueueNumber, QueueStore, ReleaseError, TokenClaims, UserId,
};
use proptest::prelude::*;

use crate::story::{ms, story};

const USERS: u64 = 6;
const MAX_ACTIVE: u32 = 2;
const CLAIM_WITHIN: u64 = 150;
const SESSION: u64 = 250;
const LAG: u64 = 20;

const RULES: Rules = Rules {
    max_active: Some(MAX_ACTIVE),
    view_lag: ms(LAG),
    places_end_after: Some(ms(CLAIM_WITHIN)),
    position_slack: 0,
    is_drained: false,
    places_survive: true,
};

/// The outcome that a client observes.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Answer,
    /// The step takes effect, perhaps after the client gave up.
    NothingOfIt,
    /// The step has no effect, and its outcome is unknown.
    NothingAtAll,
}

/// One step of one user, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The time since the previous step.
    after: u64,
    user: u64,
    kind: u8,
    seen: Seen,
    /// The time between the request and the step.
    sent: u64,
    /// The time between the step and its response.
    answered: u64,
    /// The age of the snapshot that answers waiting users.
    lag: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let seen = prop_oneof![8 => Just(Seen::Answer), 1 => Just(Seen::NothingOfIt), 1 => Just(Seen::NothingAtAll)];
    let delay = || prop_oneof![Just(0), 0..40_u64];
    let times = (prop_oneof![Just(1), 0..25_u64], delay(), delay(), 0..=LAG);
    let step = (times, 1..=USERS, 0..8_u8, seen).prop_map(
        |((after, sent, answered, lag), user, kind, seen)| Step {
            after,
            user,
            kind,
            seen,
            sent,
            answered,
            lag,
        },
    );
    proptest::collection::vec(step, 1..250)
}

/// A queue that keeps the rules, and the ops that its clients recorded.
struct Simulation {
    store: MemoryQueue,
    clock: Arc<ManualClock>,
    now: u64,
    life: Option<Incarnation>,
    /// The last number that each user got, and when.
    reported: Vec<Option<(u64, u64)>>,
    ops: Vec<String>,
}

impl Simulation {
    fn new() -> Self {
        let policy = PolicySpec {
            batch: 2,
            every: ms(40),
            max_active: MAX_ACTIVE,
            claim_within: ms(CLAIM_WITHIN),
            session_ttl: ms(SESSION),
            max_waiting: 4,
        };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let store = MemoryQueue::new(AdmissionPolicy::new(policy).unwrap(), clock.clone());
        Self {
            store,
            clock,
            now: 0,
            life: None,
            reported: vec![None; USERS as usize + 1],
            ops: Vec::new(),
        }
    }

    async fn step(&mut self, step: Step) {
        self.now += step.after;
        self.clock.advance(ms(step.after));
        let called = self.store.call_next(QueueCounters::default(), None).await.unwrap();
        self.life = called.snapshot.incarnations.oldest();
        match (step.kind, self.reported[step.user as usize]) {
            (0..=1, _) | (_, None) => self.join("join", step).await,
            (_, Some((_, known))) if known > self.now => {}
            (kind, Some((number, known))) => {
                let (requested, reported) = match kind {
                    2..=3 => ("ask", if_done(step, self.request(step, number)).await),
                    4..=6 => ("admit", if_done(step, self.admit(step, number)).await),
                    _ => ("leave", if_done(step, self.leave(step, number)).await),
                };
                // A user who polls later may get an older snapshot.
                let lag = if reported.starts_with("waiting") || reported == "not-yet" {
                    step.lag
                } else {
                    0
                };
                let begun = (self.now + lag).saturating_sub(step.sent).max(known);
                let ended = (self.now + lag + step.answered).max(begun);
                self.note(
                    begun,
                    ended,
                    &format!("{requested} {} {number}", step.user),
                    &reported,
                    step,
                );
            }
        }
    }

    async fn join(&mut self, word: &str, step: Step) {
        let user = UserId::new(step.user).unwrap();
        let reported = if_done(step, async {
            match self.store.join(user, None, NumberBounds::NONE).await {
                Ok(joined) if joined.rejoined => format!("number {} rejoined", joined.number),
                Ok(joined) => format!("number {} fresh", joined.number),
                Err(_) => "refused".to_owned(),
            }
        })
        .await;
        let (begun, ended) = (self.now.saturating_sub(step.sent), self.now + step.answered);
        if let (Seen::Answer, Some(number)) = (step.seen, reported.split(' ').nth(1)) {
            self.reported[step.user as usize] = Some((number.parse().unwrap(), ended));
        }
        self.note(begun, ended, &format!("{word} {}", step.user), &reported, step);
    }

    fn place(&self, step: Step, number: u64) -> TokenClaims {
        TokenClaims {
            queue: QueueId::parse("main").unwrap(),
            incarnation: self.life.unwrap(),
            number: QueueNumber::new(number).unwrap(),
            user: UserId::new(step.user).unwrap(),
            issued_at: Timestamp::UNIX_EPOCH,
        }
    }

    async fn request(&self, step: Step, number: u64) -> String {
        let place = self.place(step, number);
        let seen = self.store.snapshot(QueueCounters::default()).await.unwrap();
        match self.store.place_status(&place).await.unwrap() {
            PlaceStatus::Waiting => {
                format!("waiting {}", seen.vacant.position_of(place.number, seen.counters).get())
            }
            PlaceStatus::Called { .. } => "called".to_owned(),
            PlaceStatus::Active { .. } => "active".to_owned(),
            PlaceStatus::Gone => "gone".to_owned(),
        }
    }

    async fn admit(&self, step: Step, number: u64) -> String {
        match self.store.claim(&self.place(step, number)).await {
            // Clients know the length of a session or its remaining time.
            Ok(_) if step.lag.is_multiple_of(2) => format!("let-in {SESSION}"),
            Ok(session) => format!("let-in {}", session.until.remaining.as_millis()),
            Err(ClaimError::NotYet) => "not-yet".to_owned(),
            Err(ClaimError::Gone) => "gone".to_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    async fn leave(&self, step: Step, number: u64) -> String {
        match self.store.release(&self.place(step, number)).await {
            Ok(()) => "left".to_owned(),
            Err(ReleaseError::Gone) => "gone".to_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    fn note(&mut self, begun: u64, ended: u64, requested: &str, reported: &str, step: Step) {
        self.ops.push(match step.seen {
            Seen::Answer => format!("{begun} {ended} {requested} {reported}"),
            _ if step.lag.is_multiple_of(2) => format!("{begun} - {requested} unknown"),
            _ => format!("{begun} {begun} {requested} unknown"),
        });
    }
}

async fn if_done(step: Step, done: impl Future<Output = String>) -> String {
    if matches!(step.seen, Seen::NothingAtAll) { String::new() } else { done.await }
}

async fn simulate(steps: Vec<Step>) -> History {
    let mut simulation = Simulation::new();
    for step in steps {
        simulation.step(step).await;
    }
    for user in 1..=USERS {
        let last =
            Step { after: 100, user, kind: 0, seen: Seen::Answer, sent: 5, answered: 5, lag: 0 };
        simulation.now += last.after;
        simulation.clock.advance(ms(last.after));
        simulation.join("find-again", last).await;
    }
    story(&simulation.ops)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_that_keeps_the_rules_passes(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let history = runtime.block_on(simulate(steps));
        if let Err(findings) = check(&history, &RULES) {
            let mut text = Vec::new();
            history.write_to(&mut text).unwrap();
            prop_assert!(false, "{}\n{}", findings, String::from_utf8_lossy(&text));
        }
    }
}
