//! [`CheckpointStore`], chosen by `queue.checkpoint.store`.

use std::sync::Arc;

use adapter_postgres::PostgresCheckpoints;
use decorators::layer_stack::LayerStack;
use domain::queue::{CheckpointStore, NumberReservation};
use telemetry::metrics::Meters;

use super::Database;
use crate::config::{CheckpointStoreKind, Config, QueueStoreKind};
use crate::metrics;
use crate::start_error::StartError;

/// The store that reserves numbers, and how many it reserves.
pub(crate) fn reserve(
    config: &Config,
    database: Option<&Database>,
    meters: &Meters,
) -> Result<Option<NumberReservation>, StartError> {
    let section = &config.queue.checkpoint;
    match section.store {
        CheckpointStoreKind::None => {
            if config.queue.store == QueueStoreKind::Redis {
                tracing::warn!(
                    "no checkpoint is kept (queue.checkpoint.store): if Redis and all nodes are lost at once, numbers \
                     begin at 1 again"
                );
            }
            Ok(None)
        }
        CheckpointStoreKind::Postgres => {
            let database = database.ok_or(StartError::NO_DATABASE)?;
            let adapter: Arc<dyn CheckpointStore> =
                Arc::new(PostgresCheckpoints::new(database.postgres.clone()));
            let store =
                LayerStack::on(adapter).observed(metrics::observer(meters, "postgresql")).port();
            Ok(Some(NumberReservation { store, numbers: section.reserve }))
        }
    }
}
