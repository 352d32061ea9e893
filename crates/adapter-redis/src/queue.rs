//! The queue store in Redis: the port.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Bounds, Called, Checkpoint, ClaimError, GiveBackError, JoinError, Joined, Line, Place,
    QueueStore, Session, Shown, Snapshot, Standing, UserId,
};

use crate::address::Address;
use crate::joins::{Joiner, Joins, QueueLoad};
use crate::probe::Probe;
use crate::redis::Redis;
use crate::scripts::{CLAIM, LEAVE, STANDING};
use crate::settings::RedisQueueSettings;
use crate::steps::{State, Steps};
use crate::usage::{RedisMemory, Usage};

/// One node's view of a queue in Redis. Any number of nodes may share the queue, each with its own
/// value of this type.
pub struct RedisQueue {
    steps: Arc<Steps>,
    joins: Joins<Steps>,
    usage: Usage,
    probe: Probe,
}

impl RedisQueue {
    /// Opens the queue at this address and connects in the background. Must be called inside the
    /// runtime that runs the tasks; that runtime must outlive this value.
    #[must_use]
    pub fn open(address: Address, settings: RedisQueueSettings) -> Self {
        let batching = settings.batching;
        let probe = Probe::of(&settings);
        let steps = Arc::new(Steps::open(address, settings));
        let joins = Joins::new(Arc::clone(&steps), batching);
        Self { steps, joins, usage: Usage::default(), probe }
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

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.probe
    }

    pub(crate) fn redis(&self) -> &Redis {
        self.steps.redis()
    }
}

#[async_trait]
impl QueueStore for RedisQueue {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError> {
        self.joins.join(Joiner { user, presented }, bounds).await
    }

    async fn call_next(&self, floor: Line, shown: Option<Shown>) -> Result<Called, PortError> {
        Ok(self.steps.call_next(floor, shown).await?)
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        Ok(self.steps.snapshot(floor).await?)
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        Ok(self.steps.settle(generation, checkpoint).await?)
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        if let Some(session) = self.remembered(place) {
            return Ok(Standing::Active { until: session.until });
        }
        match self.steps.place(&STANDING, place).await?.state {
            State::Standing(standing) => Ok(standing),
            State::Unknown => Ok(Standing::Waiting),
            State::Foreign => Ok(Standing::Gone),
        }
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        if let Some(session) = self.remembered(place) {
            return Ok(session);
        }
        let found = self.steps.place(&CLAIM, place).await.map_err(PortError::from)?;
        match found.state {
            State::Standing(Standing::Active { until } | Standing::Called { until }) => {
                let session = Session { number: place.number, user: place.user, until };
                self.steps.local().replica.note_session(place, until, found.version);
                Ok(session)
            }
            State::Standing(Standing::Waiting) => Err(ClaimError::NotYet),
            State::Standing(Standing::Gone) => Err(ClaimError::Gone),
            State::Unknown => Err(ClaimError::NotFound),
            State::Foreign => Err(ClaimError::NotHolder),
        }
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        // From here on the session may be over, whatever the answer.
        self.steps.local().replica.note_leaving(place);
        let left = self.steps.place(&LEAVE, place).await;
        match left.map_err(PortError::from)?.state {
            State::Standing(Standing::Gone) => Err(GiveBackError::Gone),
            State::Standing(was) => {
                self.steps.local().replica.note_left(place, was == Standing::Waiting);
                Ok(())
            }
            State::Unknown => Err(GiveBackError::NotFound),
            State::Foreign => Err(GiveBackError::NotHolder),
        }
    }
}

impl RedisQueue {
    fn remembered(&self, place: &Place) -> Option<Session> {
        let until = self.steps.local().session(place, self.steps.remember())?;
        Some(Session { number: place.number, user: place.user, until })
    }
}
