//! Load: nodes that run one queue as the service does, and people who use it, with a recorded
//! history.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use adapter_redis::{RedisAddress, RedisQueue, RedisQueueSettings};
use contracts::history::{Completion, History, Invocation, Op, Rules, check};
use domain::queue::{
    AdmissionPolicy, Incarnation, PlaceStatus, PolicySpec, PollInterval, QueueCounters, QueueError,
    QueueId, QueueNumber, QueueService, QueueServiceDeps, QueueStatus, QueueStore as _, Session,
    Ticket, TokenClaims, TokenRejected, TokenSigner, UserId, WaitingToken,
};
use domain::{Clock, PortError, PortErrorKind, Timestamp};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

/// Maximum duration of a storm, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a node refreshes its view.
const LOOK: Duration = Duration::from_millis(50);
/// How often people poll.
const ASKS_AGAIN: Duration = Duration::from_millis(50);
/// The age from which a node marks its view as stale.
const STALE_AFTER: Duration = Duration::from_secs(2);
/// Duration of sessions and calls: none expires within a test.
const LONG: Duration = Duration::from_secs(600);

/// A hundred people a second, and few enough sessions that the limit delays them.
pub(crate) fn brisk() -> AdmissionPolicy {
    AdmissionPolicy::new(PolicySpec {
        batch: 10,
        every: Duration::from_millis(100),
        max_active: MAX_ACTIVE,
        claim_within: LONG,
        session_ttl: LONG,
        ..PolicySpec::default()
    })
    .unwrap()
}

pub(crate) const MAX_ACTIVE: u32 = 40;

/// One node: the use cases over its own store, and the loop that refreshes its view.
pub(crate) struct Node {
    pub(crate) service: Arc<QueueService>,
    pub(crate) store: Arc<RedisQueue>,
    looking: JoinHandle<()>,
}

impl Node {
    pub(crate) fn open(address: &RedisAddress, settings: &RedisQueueSettings) -> Arc<Self> {
        let store = Arc::new(RedisQueue::open(address.clone(), settings.clone()));
        let service = Arc::new(QueueService::new(QueueServiceDeps {
            queue: settings.queue,
            policy: settings.policy,
            poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(30))
                .unwrap(),
            token_ttl: Duration::from_secs(3_600),
            stale_after: STALE_AFTER,
            store: Arc::clone(&store) as _,
            signer: Arc::new(UnsignedTokens(settings.queue)),
            reserve: None,
            clock: Arc::new(SinceStart(Instant::now())),
        }));
        let refreshes = Arc::clone(&service);
        let looking = tokio::spawn(async move {
            loop {
                let _ = refreshes.tick().await;
                sleep(LOOK).await;
            }
        });
        Arc::new(Self { service, store, looking })
    }

    /// Stops the loop that refreshes its view.
    pub(crate) fn stop_looking(&self) {
        self.looking.abort();
    }

    /// The queue's counters in the store, if it answers.
    pub(crate) async fn store_counters(&self) -> Option<QueueCounters> {
        self.store.snapshot(QueueCounters::START).await.ok().map(|snapshot| snapshot.counters)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// Tokens without a signature.
struct UnsignedTokens(QueueId);

/// The incarnation that each token was last given in.
static ISSUED: Mutex<Option<HashMap<(QueueId, String), Incarnation>>> = Mutex::new(None);

impl TokenSigner for UnsignedTokens {
    fn sign(&self, place: &TokenClaims) -> WaitingToken {
        let token = token(place.number, place.user);
        let mut issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
        issued.get_or_insert_default().insert((self.0, token.clone()), place.incarnation);
        WaitingToken::new(token)
    }

    fn verify(&self, text: &str) -> Result<TokenClaims, TokenRejected> {
        let (number, user) = text.split_once(':').ok_or(TokenRejected::Malformed)?;
        let number = number.parse().ok().and_then(|number| QueueNumber::new(number).ok());
        let number = number.ok_or(TokenRejected::Malformed)?;
        let user = UserId::parse(user).map_err(|_| TokenRejected::Malformed)?;
        let issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
        let life =
            issued.as_ref().and_then(|issued| issued.get(&(self.0, text.to_owned()))).copied();
        let incarnation = life.ok_or(TokenRejected::BadSignature)?;
        Ok(TokenClaims {
            queue: self.0,
            incarnation,
            number,
            user,
            issued_at: Timestamp::UNIX_EPOCH,
        })
    }
}

fn token(number: QueueNumber, user: UserId) -> String {
    format!("{number}:{user}")
}

/// A clock that begins at the epoch.
struct SinceStart(Instant);

impl Clock for SinceStart {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.0.elapsed()
    }
}

/// The nodes of one queue, and the history of all calls and answers.
pub(crate) struct Crowd {
    nodes: RwLock<Vec<Arc<Node>>>,
    pub(crate) history: History,
}

impl Crowd {
    /// People in front of this many nodes, which all have a view of the queue.
    pub(crate) async fn before(
        count: usize,
        address: &RedisAddress,
        settings: &RedisQueueSettings,
    ) -> Arc<Self> {
        let nodes: Vec<_> = (0..count).map(|_| Node::open(address, settings)).collect();
        until("every node sees the queue", async || {
            nodes.iter().all(|node| !node.service.is_stale() && !node.service.view().recovers)
        })
        .await;
        Arc::new(Self { nodes: RwLock::new(nodes), history: History::new() })
    }

    /// The node for a request; any integer is valid.
    pub(crate) fn node(&self, via: u64) -> Arc<Node> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&nodes[usize::try_from(via).unwrap() % nodes.len()])
    }

    /// Drops all nodes but this one, with all they remember.
    pub(crate) fn keep_only(&self, index: usize) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let kept = nodes.swap_remove(index);
        *nodes = vec![kept];
    }

    pub(crate) async fn try_join(&self, user: UserId, via: u64) -> Result<Ticket, QueueError> {
        self.seek(Invocation::Join { user }, user, via).await
    }

    async fn seek(
        &self,
        requested: Invocation,
        user: UserId,
        via: u64,
    ) -> Result<Ticket, QueueError> {
        let node = self.node(via);
        let op = self.history.begin(requested);
        let answer = node.service.join(user, None).await;
        ended(op, &answer, |ticket| Completion::Number {
            number: ticket.status.number,
            rejoined: false,
        });
        answer
    }

    /// Joins until a number is returned.
    pub(crate) async fn join(&self, user: UserId) -> QueueNumber {
        self.seek_on(Invocation::Join { user }, user).await
    }

    async fn seek_on(&self, requested: Invocation, user: UserId) -> QueueNumber {
        let mut via = user.get();
        loop {
            match self.seek(requested, user, via).await {
                Ok(ticket) => return ticket.status.number,
                Err(_) => pause().await,
            }
            via += 1;
        }
    }

    /// The status of a place; a stale answer counts as none.
    pub(crate) async fn send(
        &self,
        user: UserId,
        number: QueueNumber,
        via: u64,
    ) -> Option<PlaceStatus> {
        let node = self.node(via);
        let op = self.history.begin(Invocation::Ask { user, number });
        let answer = node.service.query_status(&token(number, user)).await;
        ended(op, &answer, told_where);
        answer.ok().filter(|status| !status.is_stale).map(|status| status.place_status)
    }

    pub(crate) async fn admit(
        &self,
        user: UserId,
        number: QueueNumber,
        via: u64,
    ) -> Result<Session, QueueError> {
        let node = self.node(via);
        let op = self.history.begin(Invocation::Admit { user, number });
        let answer = node.service.admit(&token(number, user)).await;
        // Sessions outlast any test by more than this.
        ended(op, &answer, |_| Completion::LetIn { until_after: LONG / 2 });
        answer
    }

    async fn leave(&self, user: UserId, number: QueueNumber, via: u64) -> Result<(), QueueError> {
        let node = self.node(via);
        let op = self.history.begin(Invocation::Leave { user, number });
        let answer = node.service.leave(&token(number, user)).await;
        ended(op, &answer, |()| Completion::Left);
        answer
    }

    /// Admits the user as soon as possible, polling the nodes in turn.
    pub(crate) async fn go_in(&self, user: UserId, number: QueueNumber) -> Session {
        let end = Instant::now() + LIMIT;
        let mut via = user.get();
        loop {
            via += 1;
            if let Some(session) = self.try_to_go_in(user, number, via).await {
                return session;
            }
            assert!(Instant::now() < end, "user {user} with number {number} does not get in");
            sleep(ASKS_AGAIN).await;
        }
    }

    /// The same for a user who joins again at times, and keeps their number on every node.
    async fn go_in_impatiently(&self, user: UserId, number: QueueNumber) {
        let mut via = user.get();
        while self.try_to_go_in(user, number, via).await.is_none() {
            via += 1;
            if via.is_multiple_of(8) {
                let _ = self.try_join(user, via).await;
            }
            sleep(ASKS_AGAIN).await;
        }
    }

    async fn try_to_go_in(&self, user: UserId, number: QueueNumber, via: u64) -> Option<Session> {
        match self.send(user, number, via).await? {
            PlaceStatus::Called { .. } | PlaceStatus::Active { .. } => {}
            PlaceStatus::Waiting => return None,
            PlaceStatus::Gone => panic!("number {number} of user {user} is gone"),
        }
        match self.admit(user, number, via).await {
            Ok(session) => Some(session),
            Err(QueueError::NotYet(_) | QueueError::Store(_)) => None,
            Err(error) => panic!("user {user} with number {number} was turned away: {error}"),
        }
    }

    /// Leaves a place, and retries until that is certain.
    pub(crate) async fn go(&self, user: UserId, number: QueueNumber) {
        let mut via = user.get();
        while let Err(QueueError::Store(_)) = self.leave(user, number, via).await {
            pause().await;
            via += 1;
        }
    }

    /// One person's way through the queue. Every twentieth stays inside; every tenth leaves while
    /// waiting.
    async fn live(self: Arc<Self>, user: UserId) -> Option<UserId> {
        let number = self.join(user).await;
        if user.get() % 10 == 5 {
            self.go(user, number).await;
            return None;
        }
        self.go_in_impatiently(user, number).await;
        if user.get().is_multiple_of(20) {
            return Some(user);
        }
        self.go(user, number).await;
        None
    }

    /// Starts this many people, the last one after `within`.
    pub(crate) fn storm(self: &Arc<Self>, people: u64, within: Duration) -> Storm {
        let mut lives = JoinSet::new();
        for number in 1..=people {
            let crowd = Arc::clone(self);
            let comes = Instant::now() + within.mul_f64(number as f64 / people as f64);
            lives.spawn(async move {
                tokio::time::sleep_until(comes).await;
                crowd.live(user(number)).await
            });
        }
        Storm { crowd: Arc::clone(self), lives }
    }

    /// The number of errors after which a user had to retry.
    pub(crate) fn errors(&self) -> u64 {
        let summary = self.history.summary();
        let requested = ["join", "admit", "leave", "find-again"].into_iter();
        requested
            .map(|requested| {
                summary.count(requested, "refused") + summary.count(requested, "unknown")
            })
            .sum()
    }

    /// How often `reported` was the answer to `requested`, in the words of a history.
    pub(crate) fn count(&self, requested: &str, reported: &str) -> u64 {
        self.history.summary().count(requested, reported)
    }

    /// Waits until that count is reached.
    pub(crate) async fn until(&self, requested: &str, reported: &str, count: u64) {
        until(&format!("{count} times {reported} to {requested}"), async || {
            self.count(requested, reported) >= count
        })
        .await;
    }

    /// Checks that the remaining holders still have their places, and checks the history against
    /// the rules.
    pub(crate) async fn judge(&self, holders: &BTreeSet<UserId>, rules: &Rules) {
        for user in holders {
            let search = self.seek_on(Invocation::FindAgain { user: *user }, *user);
            timeout(LIMIT, search).await.unwrap();
        }
        check(&self.history, rules).unwrap_or_else(|findings| panic!("{findings}"));
    }
}

/// A running storm.
pub(crate) struct Storm {
    crowd: Arc<Crowd>,
    lives: JoinSet<Option<UserId>>,
}

impl Storm {
    /// Waits until all people are through, and checks the history.
    pub(crate) async fn ends(mut self, rules: &Rules) {
        let mut inside = BTreeSet::new();
        let all = async {
            while let Some(life) = self.lives.join_next().await {
                inside.extend(life.unwrap());
            }
        };
        let in_time = timeout(LIMIT, all).await;
        assert!(in_time.is_ok(), "the queue does not move: {}", self.crowd.history.summary());
        self.crowd.judge(&inside, rules).await;
    }
}

/// The rules that always hold.
pub(crate) fn rules() -> Rules {
    Rules {
        max_active: Some(MAX_ACTIVE),
        view_lag: STALE_AFTER + Duration::from_secs(1),
        places_end_after: None,
        position_slack: 0,
        is_drained: true,
        places_survive: true,
    }
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub(crate) async fn pause() {
    sleep(Duration::from_millis(10)).await;
}

/// Polls until the condition holds.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < end, "not in time: {what}");
        pause().await;
    }
}

fn ended<T>(op: Op, answer: &Result<T, QueueError>, reported: impl FnOnce(&T) -> Completion) {
    op.end(match answer {
        Ok(answer) => reported(answer),
        Err(QueueError::NotYet(_)) => Completion::NotYet,
        Err(QueueError::Gone) => Completion::Gone,
        Err(QueueError::QueueFull { .. }) => Completion::Refused,
        Err(QueueError::Store(error)) => told_by(error),
        Err(QueueError::Forged(error)) => panic!("no token here is forged: {error}"),
    });
}

fn told_by(error: &PortError) -> Completion {
    match error.kind() {
        PortErrorKind::Unavailable
        | PortErrorKind::Overloaded
        | PortErrorKind::Refused
        | PortErrorKind::NotReady => Completion::Refused,
        PortErrorKind::Timeout => Completion::Unknown,
        PortErrorKind::Corrupt => panic!("{error:?}"),
    }
}

fn told_where(status: &QueueStatus) -> Completion {
    match status.place_status {
        _ if status.is_stale => Completion::Unknown,
        PlaceStatus::Waiting => Completion::Waiting { position: status.position.get() },
        PlaceStatus::Called { .. } => Completion::Called,
        PlaceStatus::Active { .. } => Completion::Active,
        PlaceStatus::Gone => Completion::Gone,
    }
}
