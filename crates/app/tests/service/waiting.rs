//! Positions and estimates are accurate: a whole sale on a manual clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{ManualClock, MemoryQueue};
use adapter_token::{KeyRing, TokenKey};
use domain::queue::{
    AdmissionPolicy, PlaceStatus, PolicySpec, PollInterval, QueueId, QueueService,
    QueueServiceDeps, Ticket, UserId,
};
use domain::{Clock, Timestamp};

/// How often a node refreshes its view.
const REFRESH: Duration = Duration::from_millis(100);

struct Sale {
    service: QueueService,
    clock: Arc<ManualClock>,
    start: Timestamp,
}

impl Sale {
    fn open(spec: PolicySpec) -> Self {
        let start = Timestamp::from_second(1_777_896_000).unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let policy = AdmissionPolicy::new(spec).unwrap();
        let service = QueueService::new(QueueServiceDeps {
            queue: QueueId::parse("main").unwrap(),
            policy,
            poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(30))
                .unwrap(),
            token_ttl: Duration::from_secs(86_400),
            stale_after: Duration::MAX,
            store: Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>)),
            signer: Arc::new(KeyRing::new(vec![TokenKey::from_bytes(&[7; 32]).unwrap()]).unwrap()),
            reserve: None,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        });
        Self { service, clock, start }
    }

    async fn join(&self, user: u64) -> Ticket {
        self.service.join(UserId::new(user).unwrap(), None).await.unwrap()
    }

    async fn refresh(&self) {
        self.clock.advance(REFRESH);
        self.service.tick().await.unwrap();
    }

    fn now(&self) -> f64 {
        self.clock.now().duration_since(self.start).as_secs_f64()
    }
}

#[tokio::test]
async fn the_default_policy_admits_6000_users_a_minute() {
    let sale = Sale::open(PolicySpec::default());
    let mut tokens = Vec::new();
    for user in 1..=12_000 {
        tokens.push(sale.join(user).await.token);
    }
    for _ in 0..600 {
        sale.refresh().await;
    }
    let mut inside = 0;
    for token in &tokens {
        inside += u32::from(sale.service.admit(token.as_str()).await.is_ok());
    }
    assert!((6_000..=6_100).contains(&inside), "{inside} users have a session after a minute");
}

#[tokio::test]
async fn position_and_estimate_are_right_within_one_refresh() {
    let sale = Sale::open(PolicySpec::default());
    let mut waiting = HashMap::new();
    for user in 1..=3_000 {
        let ticket = sale.join(user).await;
        let seconds = ticket.status.eta.as_secs_f64();
        waiting.insert(user, (ticket.token, vec![(sale.now(), seconds)]));
    }
    for tick in 0..400 {
        sale.refresh().await;
        let serving = sale.service.counters().serving();
        let mut called = Vec::new();
        for (user, (token, promises)) in &mut waiting {
            // A sample of the users keeps the test at a second.
            if user % 50 != tick % 50 && user % 97 != 0 {
                continue;
            }
            let status = sale.service.query_status(token.as_str()).await.unwrap();
            match status.place_status {
                PlaceStatus::Waiting => {
                    assert_eq!(
                        status.position.get(),
                        *user - serving,
                        "user {user} joined as number {user}"
                    );
                    promises.push((sale.now(), status.eta.as_secs_f64()));
                }
                PlaceStatus::Called { .. } => called.push(*user),
                PlaceStatus::Active { .. } | PlaceStatus::Gone => {
                    panic!("user {user} neither claimed nor left")
                }
            }
        }
        for user in called {
            // The policy calls one batch at once, then one user every 10 ms.
            let due = (user.saturating_sub(100)) as f64 / 100.0;
            for (at, eta) in &waiting[&user].1 {
                let promised = at + eta;
                let late_or_early = (promised - due).abs();
                assert!(
                    late_or_early <= 0.15,
                    "at {at} user {user} was promised {promised}, due {due}"
                );
            }
            waiting.remove(&user);
        }
    }
}

#[tokio::test]
async fn with_every_slot_taken_the_estimate_follows_the_pace_at_which_sessions_end() {
    let spec = PolicySpec {
        max_active: 100,
        claim_within: Duration::from_secs(40),
        session_ttl: Duration::from_secs(50),
        ..PolicySpec::default()
    };
    let sale = Sale::open(spec);
    let mut tokens = Vec::new();
    for user in 1..=1_000 {
        tokens.push(sale.join(user).await.token);
    }
    // Users claim at once and leave 5 s later: 20 a second finish.
    let mut inside = std::collections::VecDeque::new();
    let mut next = 0;
    let mut promise = None;
    while next < 900 {
        sale.refresh().await;
        while sale.service.admit(tokens[next].as_str()).await.is_ok() {
            inside.push_back((sale.now() + 5.0, next));
            next += 1;
        }
        while inside.front().is_some_and(|(until, _)| *until <= sale.now()) {
            let (_, leaver) = inside.pop_front().unwrap();
            sale.service.leave(tokens[leaver].as_str()).await.unwrap();
        }
        if promise.is_none() && sale.now() >= 20.0 {
            let status = sale.service.query_status(tokens[800].as_str()).await.unwrap();
            promise = Some(sale.now() + status.eta.as_secs_f64());
        }
        if next > 800 {
            break;
        }
    }
    let (promised, came) = (promise.unwrap(), sale.now());
    assert!(
        (promised - came).abs() / (came - 20.0) < 0.25,
        "promised for {promised}, came at {came}"
    );
}
