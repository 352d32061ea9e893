//! How far each line had come, kept where its store is not.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};
use diesel::{OptionalExtension as _, QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, Line, QueueId};

use crate::error::corrupt;
use crate::id::signed;
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

const LOAD: &str = "SELECT last, serving, ceiling FROM queue_checkpoints WHERE queue = $1";

/// Savers of one queue at once wait for each other's row, and each raises what the one before has left.
const SAVE: &str = "\
INSERT INTO queue_checkpoints AS known (queue, last, serving, ceiling) VALUES ($1, $2, $3, $4)
ON CONFLICT (queue) DO UPDATE SET
    last = greatest(known.last, excluded.last),
    serving = greatest(known.serving, excluded.serving),
    ceiling = greatest(known.ceiling, excluded.ceiling),
    saved_at = excluded.saved_at
RETURNING last, serving, ceiling";

#[derive(QueryableByName)]
struct CheckpointRow {
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = BigInt)]
    serving: i64,
    #[diesel(sql_type = BigInt)]
    ceiling: i64,
}

/// Marks that no line can have.
#[derive(Debug, thiserror::Error)]
#[error("a checkpoint with last {last}, serving {serving} and ceiling {ceiling}")]
struct ImpossibleMarks {
    last: i64,
    serving: i64,
    ceiling: i64,
}

impl CheckpointRow {
    fn checkpoint(&self) -> Result<Checkpoint, PortError> {
        let &Self { last, serving, ceiling } = self;
        let impossible = || corrupt(ImpossibleMarks { last, serving, ceiling });
        let mark = |mark: i64| u64::try_from(mark).map_err(|_| impossible());
        if serving > last || last > ceiling {
            return Err(impossible());
        }
        Ok(Checkpoint { line: Line::new(mark(last)?, mark(serving)?), ceiling: mark(ceiling)? })
    }
}

#[async_trait]
impl CheckpointStore for PostgresCheckpoints {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        let row = self.0.ask(move |connection| {
            let statement = sql_query(LOAD).bind::<Text, _>(queue.to_string());
            Box::pin(async move { statement.get_result::<CheckpointRow>(connection).await.optional() })
        });
        row.await?.as_ref().map(CheckpointRow::checkpoint).transpose()
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        let Checkpoint { line, ceiling } = Checkpoint::new(checkpoint.line, checkpoint.ceiling);
        let row = self.0.ask(move |connection| {
            let statement = sql_query(SAVE)
                .bind::<Text, _>(queue.to_string())
                .bind::<BigInt, _>(signed(line.last()))
                .bind::<BigInt, _>(signed(line.serving()))
                .bind::<BigInt, _>(signed(ceiling));
            Box::pin(async move { statement.get_result::<CheckpointRow>(connection).await })
        });
        row.await?.checkpoint()
    }
}
