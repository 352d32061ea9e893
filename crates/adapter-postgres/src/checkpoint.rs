//! Queue checkpoints, kept outside the queue's own store.

use async_trait::async_trait;
use diesel::result::Error as QueryError;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel::{OptionalExtension as _, QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use domain::PortError;
use domain::queue::{
    Checkpoint, CheckpointStore, Incarnation, Incarnations, QueueCounters, QueueId,
};

use crate::error::corrupt;
use crate::id::{checked, signed};
use crate::pool::Postgres;

/// Queue checkpoints, one row per queue. A save is one statement and one transaction. It is durable
/// when it returns, unless `synchronous_commit` is `off` for this user; the default is `on`.
#[derive(Clone)]
pub struct PostgresCheckpoints(Postgres);

impl PostgresCheckpoints {
    /// Creates the checkpoint store of a database whose schema is current.
    #[must_use]
    pub fn new(postgres: Postgres) -> Self {
        Self(postgres)
    }
}

const LOAD: &str =
    "SELECT last, serving, ceiling, incarnations FROM queue_checkpoints WHERE queue = $1";

/// Concurrent saves of one queue wait for each other's row lock, and each raises the marks the
/// previous one left. With `$6` false no row is written, but missing privileges and a read-only
/// server still cause an error. If there are more incarnations than a set holds, the oldest are
/// kept, as in [`Incarnations`].
const SAVE: &str = "\
INSERT INTO queue_checkpoints AS known (queue, last, serving, ceiling, incarnations)
SELECT $1, $2, $3, $4, $5 WHERE $6
ON CONFLICT (queue) DO UPDATE SET
    last = greatest(known.last, excluded.last),
    serving = greatest(known.serving, excluded.serving),
    ceiling = greatest(known.ceiling, excluded.ceiling),
    incarnations = ARRAY(
        SELECT DISTINCT life FROM unnest(known.incarnations || excluded.incarnations) AS life
        ORDER BY life LIMIT 4
    ),
    saved_at = excluded.saved_at
RETURNING last, serving, ceiling, incarnations";

/// Runs after a save. The save commits on its own unless the connection already had an open
/// transaction, in which case it would be lost without an error.
const IS_OPEN: &str = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS is_open";

#[derive(QueryableByName)]
struct CheckpointRow {
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = BigInt)]
    serving: i64,
    #[diesel(sql_type = BigInt)]
    ceiling: i64,
    #[diesel(sql_type = Array<BigInt>)]
    incarnations: Vec<i64>,
}

#[derive(QueryableByName)]
struct OpenRow {
    #[diesel(sql_type = Bool)]
    is_open: bool,
}

/// Marks that are impossible for a queue.
#[derive(Debug, thiserror::Error)]
#[error("invalid checkpoint: last {last}, serving {serving}, ceiling {ceiling}")]
struct ImpossibleMarks {
    last: i64,
    serving: i64,
    ceiling: i64,
}

/// The upsert always returns a row.
#[derive(Debug, thiserror::Error)]
#[error("saving a checkpoint returned no row")]
struct NothingSaved;

impl CheckpointRow {
    fn checkpoint(&self) -> Result<Checkpoint, PortError> {
        let &Self { last, serving, ceiling, .. } = self;
        let impossible = || corrupt(ImpossibleMarks { last, serving, ceiling });
        let mark = |mark: i64| u64::try_from(mark).map_err(|_| impossible());
        if serving > last || last > ceiling {
            return Err(impossible());
        }
        let lives = self.incarnations.iter().map(|life| checked(*life, Incarnation::new));
        let incarnations = Incarnations::of(lives.collect::<Result<Vec<_>, _>>()?);
        let counters = QueueCounters::new(mark(last)?, mark(serving)?);
        Ok(Checkpoint::new(counters, mark(ceiling)?).with_incarnations(incarnations))
    }
}

impl PostgresCheckpoints {
    async fn row(&self, queue: String) -> Result<Option<CheckpointRow>, PortError> {
        let row = self.0.run("loading a checkpoint", move |connection| {
            let statement = sql_query(LOAD).bind::<Text, _>(queue.clone());
            Box::pin(
                async move { statement.get_result::<CheckpointRow>(connection).await.optional() },
            )
        });
        row.await
    }

    /// Saves a checkpoint and returns the stored one; `None` if `is_meant` is false, and nothing is
    /// written.
    async fn saved_row(
        &self,
        queue: String,
        checkpoint: Checkpoint,
        is_meant: bool,
    ) -> Result<Option<CheckpointRow>, PortError> {
        let Checkpoint { counters, ceiling, incarnations } = checkpoint;
        let lives: Vec<i64> = incarnations.iter().map(|life| signed(life.get())).collect();
        let row = self.0.run("saving a checkpoint", move |connection| {
            let statement = sql_query(SAVE)
                .bind::<Text, _>(queue.clone())
                .bind::<BigInt, _>(signed(counters.last()))
                .bind::<BigInt, _>(signed(counters.serving()))
                .bind::<BigInt, _>(signed(ceiling))
                .bind::<Array<BigInt>, _>(lives.clone())
                .bind::<Bool, _>(is_meant);
            Box::pin(async move {
                let Some(saved) =
                    statement.get_result::<CheckpointRow>(connection).await.optional()?
                else {
                    return Ok(None);
                };
                let transaction = sql_query(IS_OPEN).get_result::<OpenRow>(connection).await?;
                if transaction.is_open {
                    Err(QueryError::AlreadyInTransaction)
                } else {
                    Ok(Some(saved))
                }
            })
        });
        row.await
    }

    /// Checks that checkpoints can be loaded and saved, with both statements, for a queue that
    /// cannot exist and without writing a row.
    pub(crate) async fn check(&self) -> Result<(), PortError> {
        self.row(String::new()).await?;
        self.saved_row(String::new(), Checkpoint::new(QueueCounters::START, 0), false)
            .await
            .map(drop)
    }
}

#[async_trait]
impl CheckpointStore for PostgresCheckpoints {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        self.row(queue.to_string()).await?.as_ref().map(CheckpointRow::checkpoint).transpose()
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        let Checkpoint { counters, ceiling, incarnations } = checkpoint;
        let checkpoint = Checkpoint::new(counters, ceiling).with_incarnations(incarnations);
        let saved = self.saved_row(queue.to_string(), checkpoint, true).await?;
        saved.as_ref().map_or_else(|| Err(corrupt(NothingSaved)), CheckpointRow::checkpoint)
    }
}
