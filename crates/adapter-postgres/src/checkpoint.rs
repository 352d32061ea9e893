//! How far each line had come, kept where its store is not.

use async_trait::async_trait;
use diesel::result::Error as QueryError;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel::{OptionalExtension as _, QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, Incarnation, Incarnations, Line, QueueId};

use crate::error::corrupt;
use crate::id::{checked, signed};
use crate::pool::Postgres;

/// Checkpoints of lines, a row each. A save is one statement and one transaction, durable when it returns as long as the
/// server's `synchronous_commit` is not `off` for this user; it is `on` unless somebody changed it.
#[derive(Clone)]
pub struct PostgresCheckpoints(Postgres);

impl PostgresCheckpoints {
    /// The checkpoints in a database whose schema is current.
    #[must_use]
    pub fn new(postgres: Postgres) -> Self {
        Self(postgres)
    }
}

const LOAD: &str =
    "SELECT last, serving, ceiling, incarnations FROM queue_checkpoints WHERE queue = $1";

/// Savers of one queue at once wait for each other's row, and each raises what the one before has
/// left. With `$6` false no row is written, but privileges and a read-only server still refuse it.
/// Of more
/// lives than a set has, the oldest stay, as in [`Incarnations`].
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

/// Run after a save, which commits by itself unless the connection came with an open transaction.
/// Then the save would be lost without an error.
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

/// Marks that no line can have.
#[derive(Debug, thiserror::Error)]
#[error("a checkpoint with last {last}, serving {serving} and ceiling {ceiling}")]
struct ImpossibleMarks {
    last: i64,
    serving: i64,
    ceiling: i64,
}

/// The upsert always returns a row.
#[derive(Debug, thiserror::Error)]
#[error("a checkpoint was saved and no row came back")]
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
        Ok(Checkpoint {
            line: Line::new(mark(last)?, mark(serving)?),
            ceiling: mark(ceiling)?,
            incarnations,
        })
    }
}

impl PostgresCheckpoints {
    async fn row(&self, queue: String) -> Result<Option<CheckpointRow>, PortError> {
        let row = self.0.ask("loading a checkpoint", move |connection| {
            let statement = sql_query(LOAD).bind::<Text, _>(queue.clone());
            Box::pin(
                async move { statement.get_result::<CheckpointRow>(connection).await.optional() },
            )
        });
        row.await
    }

    /// Saves and returns what is remembered then; `None` when `is_meant` is false, and nothing is
    /// written.
    async fn saved_row(
        &self,
        queue: String,
        checkpoint: Checkpoint,
        is_meant: bool,
    ) -> Result<Option<CheckpointRow>, PortError> {
        let Checkpoint { line, ceiling, incarnations } = checkpoint;
        let lives: Vec<i64> = incarnations.iter().map(|life| signed(life.get())).collect();
        let row = self.0.ask("saving a checkpoint", move |connection| {
            let statement = sql_query(SAVE)
                .bind::<Text, _>(queue.clone())
                .bind::<BigInt, _>(signed(line.last()))
                .bind::<BigInt, _>(signed(line.serving()))
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
        self.saved_row(String::new(), Checkpoint::new(Line::START, 0), false).await.map(drop)
    }
}

#[async_trait]
impl CheckpointStore for PostgresCheckpoints {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        self.row(queue.to_string()).await?.as_ref().map(CheckpointRow::checkpoint).transpose()
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        let Checkpoint { line, ceiling, incarnations } = checkpoint;
        let checkpoint = Checkpoint::new(line, ceiling).with_incarnations(incarnations);
        let saved = self.saved_row(queue.to_string(), checkpoint, true).await?;
        saved.as_ref().map_or_else(|| Err(corrupt(NothingSaved)), CheckpointRow::checkpoint)
    }
}
