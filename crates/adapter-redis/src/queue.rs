//! The queue store in Redis: the port.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Called, Checkpoint, ClaimError, JoinError, Joined, NumberBounds, PlaceStatus, QueueCounters,
    QueueStore, ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId,
};

use crate::address::RedisAddress;
use crate::join_batcher::{JoinBatcher, Joiner, QueueLoad};
use crate::memory_info::{MemoryInfo, RedisMemory};
use crate::probe::Probe;
use crate::queue_client::QueueClient;
use crate::queue_scripts::{QueueScripts, State};
use crate::scripts::{CLAIM, LEAVE, PLACE_STATUS};
use crate::settings::RedisQueueSettings;

/// One node's view of a queue in Redis. Any number of nodes may share the queue, each with its own
/// value of this type.
pub struct RedisQueue {
    scripts: Arc<QueueScripts>,
    joins: JoinBatcher<QueueScripts>,
    usage: MemoryInfo,
    probe: Probe,
}

impl RedisQueue {
    /// Opens the queue at this address and connects in the background. Must be called inside the
    /// runtime that runs the tasks; that runtime must outlive this value.
    #[must_use]
    pub fn open(address: RedisAddress, settings: RedisQueueSettings) -> Self {
        let batching = settings.batching;
        let probe = Probe::of(&settings);
        let scripts = Arc::new(QueueScripts::open(address, settings));
        let joins = JoinBatcher::new(Arc::clone(&scripts), batching);
        Self { scripts, joins, usage: MemoryInfo::default(), probe }
    }

    /// The load that this node's joins put on the queue.
    #[must_use]
    pub fn load(&self) -> QueueLoad {
        self.joins.load()
    }

    /// The memory of the queue's server as of the last check of
    /// [`RedisDependency`](crate::RedisDependency), which requests it at most every five seconds.
    /// On a cluster, this is the primary that has the queue. `None` before the first check, after a
    /// check without an answer, and if the server does not report its memory.
    #[must_use]
    pub fn memory(&self) -> Option<RedisMemory> {
        self.usage.last()
    }

    pub(crate) fn usage(&self) -> &MemoryInfo {
        &self.usage
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.probe
    }

    pub(crate) fn redis(&self) -> &QueueClient {
        self.scripts.redis()
    }
}

#[async_trait]
impl QueueStore for RedisQueue {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.joins.join(Joiner { user, presented }, bounds).await
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        Ok(self.scripts.call_next(floor, shown).await?)
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        Ok(self.scripts.snapshot(floor).await?)
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        Ok(self.scripts.settle(generation, checkpoint).await?)
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        if let Some(session) = self.remembered(place) {
            return Ok(PlaceStatus::Active { until: session.until });
        }
        match self.scripts.place(&PLACE_STATUS, place).await?.state {
            State::PlaceStatus(place_status) => Ok(place_status),
            State::Unknown => Ok(PlaceStatus::Waiting),
            State::Foreign => Ok(PlaceStatus::Gone),
        }
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        if let Some(session) = self.remembered(place) {
            return Ok(session);
        }
        let found = self.scripts.place(&CLAIM, place).await.map_err(PortError::from)?;
        match found.state {
            State::PlaceStatus(PlaceStatus::Active { until } | PlaceStatus::Called { until }) => {
                let session = Session { number: place.number, user: place.user, until };
                self.scripts.local().replica.note_session(place, until, found.version);
                Ok(session)
            }
            State::PlaceStatus(PlaceStatus::Waiting) => Err(ClaimError::NotYet),
            State::PlaceStatus(PlaceStatus::Gone) => Err(ClaimError::Gone),
            State::Unknown => Err(ClaimError::NotFound),
            State::Foreign => Err(ClaimError::NotHolder),
        }
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        // From here on the session may be over, whatever the answer.
        self.scripts.local().replica.note_leaving(place);
        let left = self.scripts.place(&LEAVE, place).await;
        match left.map_err(PortError::from)?.state {
            State::PlaceStatus(PlaceStatus::Gone) => Err(ReleaseError::Gone),
            State::PlaceStatus(was) => {
                self.scripts.local().replica.note_left(place, was == PlaceStatus::Waiting);
                Ok(())
            }
            State::Unknown => Err(ReleaseError::NotFound),
            State::Foreign => Err(ReleaseError::NotHolder),
        }
    }
}

impl RedisQueue {
    fn remembered(&self, place: &TokenClaims) -> Option<Session> {
        let until = self.scripts.local().session(place, self.scripts.remember())?;
        Some(Session { number: place.number, user: place.user, until })
    }
}
