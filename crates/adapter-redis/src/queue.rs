//! The line in Redis: the port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    AdmissionPolicy, Bounds, Called, Checkpoint, ClaimError, GiveBackError, JoinError, Joined,
    Line, Place, QueueId, QueueStore, Session, Shown, Snapshot, Standing, UserId,
};

use crate::address::Address;
use crate::joins::{Batching, Joiner, Joins, QueueLoad};
use crate::link::LinkSettings;
use crate::probe::Probe;
use crate::redis::Redis;
use crate::scripts::{CLAIM, LEAVE, STANDING};
use crate::steps::{State, Steps};
use crate::usage::{RedisMemory, Usage};

/// When a join counts as done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// When the primary has it. A primary that dies may take the last joins with it: nodes tell its successor of those they
    /// remember, and no number is given twice all the same.
    #[default]
    Primary,
    /// When a replica has it too: a failover to that replica loses nothing.
    Replicated,
}

/// What a [`RedisQueue`] is made of.
#[derive(Clone, Debug)]
pub struct RedisQueueSettings {
    /// The queue it keeps.
    pub queue: QueueId,
    /// The policy it keeps; the same on every node.
    pub policy: AdmissionPolicy,
    /// When a join counts as done.
    pub durability: Durability,
    /// How joins are gathered.
    pub batching: Batching,
    /// The lifetime of a token. What grows with the people of the queue is kept for thirty times as
    /// long after the last refresh of any node.
    pub lifetime: Duration,
    /// A session this node knows of is answered for without asking, if changes were heard of no longer ago than this.
    pub remember: Duration,
    /// How long nobody is called and no new number is given after a loss, and after a restart or failover, which may be one
    /// that nobody has noticed yet. Every node must have found the server and looked at the line within it.
    pub recovery: Duration,
    /// Whether numbers are reserved in a checkpoint: then no doubt is over before that was read.
    pub needs_checkpoint: bool,
    /// Limits of the connections.
    pub link: LinkSettings,
}

/// One line in Redis, seen from one node. Any number of nodes may keep the same line, each with its own value of this.
pub struct RedisQueue {
    steps: Arc<Steps>,
    joins: Joins<Steps>,
    usage: Usage,
    probe: Probe,
}

impl RedisQueue {
    /// A line at this address, connected to in the background. Must be called inside the runtime that is to run its tasks,
    /// which must live as long as this does.
    #[must_use]
    pub fn open(address: Address, settings: RedisQueueSettings) -> Self {
        let batching = settings.batching;
        let probe = Probe::of(&settings);
        let steps = Arc::new(Steps::open(address, settings));
        let joins = Joins::new(Arc::clone(&steps), batching);
        Self { steps, joins, usage: Usage::default(), probe }
    }

    /// What this node's joins put on the line.
    #[must_use]
    pub fn load(&self) -> QueueLoad {
        self.joins.load()
    }

    /// The memory of the line's server as of the last check of [`RedisDependency`](crate::RedisDependency), which asks for it
    /// every five seconds at most: on a cluster, of the primary that has the line. `None` before the first check, after one
    /// that got no answer, and where the server does not tell.
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
