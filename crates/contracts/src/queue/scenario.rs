//! The fixture of a store under test, and helpers for the rules.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;
use domain::queue::{
    AdmissionPolicy, ClaimError, Incarnation, JoinError, Joined, NumberBounds, PlaceStatus,
    PolicySpec, QueueCounters, QueueId, QueueNumber, QueueStore, ReleaseError, Session, Shown,
    Snapshot, TokenClaims, UserId,
};
use futures_util::future::join_all;

use crate::{RuleResult, Violation, ensure};

/// Opens queue stores.
#[async_trait]
pub trait QueueFixture: Send + Sync {
    /// Opens a new, empty queue under this policy.
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness>;
}

/// A queue, used from one or more nodes.
#[async_trait]
pub trait QueueHarness: Send + Sync {
    /// The id of the queue.
    fn queue(&self) -> QueueId;

    /// At least one node of the same queue; more if the implementation has nodes.
    fn nodes(&self) -> Vec<Arc<dyn QueueStore>>;

    /// Advances the store's time by at least this much, and little more.
    async fn advance(&self, by: Duration);
}

/// Calls per interval in these tests.
pub(super) const BATCH: u32 = 5;
/// The interval between batches in these tests.
pub(super) const EVERY: Duration = Duration::from_millis(1_000);
/// The claim time of a call in these tests.
pub(super) const CLAIM_WITHIN: Duration = Duration::from_millis(2_000);
/// The length of a session in these tests.
pub(super) const SESSION_TTL: Duration = Duration::from_millis(4_000);

/// Longer than any recovering store waits for its witnesses.
pub(super) const RECOVERY: Duration = Duration::from_secs(10);

/// The policy that most rules use.
pub(super) fn usual() -> PolicySpec {
    PolicySpec {
        batch: BATCH,
        every: EVERY,
        max_active: 1_000,
        claim_within: CLAIM_WITHIN,
        session_ttl: SESSION_TTL,
        max_waiting: 10_000,
    }
}

/// A queue under test.
pub(super) struct Scenario {
    world: Box<dyn QueueHarness>,
    nodes: Vec<Arc<dyn QueueStore>>,
    queue: QueueId,
    /// The incarnation of the tokens.
    incarnation: Incarnation,
}

impl Scenario {
    pub(super) async fn open(
        fixture: &dyn QueueFixture,
        spec: PolicySpec,
    ) -> Result<Self, Violation> {
        let world = fixture.open(AdmissionPolicy::new(spec)?).await;
        let (nodes, queue) = (world.nodes(), world.queue());
        ensure(!nodes.is_empty(), || "a world without a node".to_owned())?;
        let seen = nodes[0].snapshot(QueueCounters::default()).await?;
        let incarnation = seen.incarnations.oldest();
        let incarnation =
            incarnation.ok_or_else(|| Violation::new("a fresh queue without an incarnation"))?;
        Ok(Self { world, nodes, queue, incarnation })
    }

    /// A node, chosen so that work is spread over all of them.
    pub(super) fn node(&self, n: u64) -> Arc<dyn QueueStore> {
        let index = usize::try_from(n % self.nodes.len() as u64).unwrap_or(0);
        Arc::clone(&self.nodes[index])
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.world.advance(by).await;
    }

    /// Advances time until a recovering store no longer waits for its witnesses.
    pub(super) async fn recover(&self) {
        self.advance(RECOVERY).await;
    }

    pub(super) fn place(&self, user: u64, number: u64) -> Result<TokenClaims, Violation> {
        Ok(TokenClaims {
            queue: self.queue,
            incarnation: self.incarnation,
            number: QueueNumber::new(number)?,
            user: UserId::new(user)?,
            issued_at: Timestamp::UNIX_EPOCH,
        })
    }

    /// The contents of a token with this number, in the incarnation of this queue.
    pub(super) fn shown(&self, number: u64) -> Result<Shown, Violation> {
        Ok(Shown { incarnation: self.incarnation, number: QueueNumber::new(number)? })
    }

    pub(super) async fn try_join(&self, user: u64) -> Result<Joined, JoinError> {
        self.try_join_with(user, None).await
    }

    /// Joins as the service does: it refreshes and retries if its view is behind.
    pub(super) async fn try_join_with(
        &self,
        user: u64,
        shown: Option<Shown>,
    ) -> Result<Joined, JoinError> {
        let user = UserId::new(user).map_err(|_| JoinError::QueueFull)?;
        let node = self.node(user.get());
        let joined = node.join(user, shown, NumberBounds::NONE).await;
        if !matches!(joined, Err(JoinError::ViewBehind)) {
            return joined;
        }
        node.snapshot(QueueCounters::default()).await?;
        node.join(user, shown, NumberBounds::NONE).await
    }

    /// Joins and returns the place.
    pub(super) async fn join(&self, user: u64) -> Result<TokenClaims, Violation> {
        let joined = self.try_join(user).await?;
        self.place(user, joined.number.get())
    }

    /// Joins one user after another.
    pub(super) async fn join_each(
        &self,
        users: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<TokenClaims>, Violation> {
        let mut places = Vec::new();
        for user in users {
            places.push(self.join(user).await?);
        }
        Ok(places)
    }

    /// Joins all users concurrently, each in its own task.
    pub(super) async fn join_storm(
        &self,
        users: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<(u64, Joined)>, Violation> {
        let tasks = users.into_iter().map(|user| {
            let node = self.node(user);
            tokio::spawn(async move {
                let id = UserId::new(user).map_err(Violation::from)?;
                Ok::<_, Violation>((user, node.join(id, None, NumberBounds::NONE).await?))
            })
        });
        let mut joined = Vec::new();
        for task in join_all(tasks).await {
            joined.push(task??);
        }
        Ok(joined)
    }

    /// Calls the next people from many concurrent tasks on all nodes.
    pub(super) async fn call_storm(&self, callers: u64) -> RuleResult {
        let tasks = (0..callers).map(|n| {
            let node = self.node(n);
            tokio::spawn(async move { node.call_next(QueueCounters::default(), None).await })
        });
        for task in join_all(tasks).await {
            task??;
        }
        Ok(())
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, Violation> {
        Ok(self.node(0).snapshot(QueueCounters::default()).await?)
    }

    pub(super) async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, Violation> {
        Ok(self.node(place.user.get()).place_status(place).await?)
    }

    pub(super) async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.node(place.user.get() + 1).claim(place).await
    }

    pub(super) async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.node(place.user.get() + 1).release(place).await
    }

    /// The number of these places that are called or active.
    pub(super) async fn inside(&self, places: &[TokenClaims]) -> Result<u64, Violation> {
        let mut inside = 0;
        for place in places {
            let place_status = self.place_status(place).await?;
            inside += u64::from(matches!(
                place_status,
                PlaceStatus::Called { .. } | PlaceStatus::Active { .. }
            ));
        }
        Ok(inside)
    }
}

/// The number of distinct queue numbers.
pub(super) fn distinct(joined: &[(u64, Joined)]) -> usize {
    joined.iter().map(|(_, joined)| joined.number).collect::<HashSet<_>>().len()
}
