//! [`CheckpointStore`], chosen by `queue.checkpoint.store`.

use std::sync::Arc;

use adapter_postgres::PostgresCheckpoints;
use decorators::layer_stack::LayerStack;
use domain::queue::{CheckpointStore, NumberReservation};
use telemetry::metrics::Meters;

use super::Database;
use crate::adapter_set::Adapter;
use crate::config::{CheckpointStoreKind, Config};
use crate::metrics;
use crate::start_error::StartError;

/// The given store, or the configured one; `None` if numbers are not reserved.
pub(crate) fn checkpoint_store(
    config: &Config,
    given: Option<Adapter<dyn CheckpointStore>>,
    database: Option<&Database>,
) -> Result<Option<Adapter<dyn CheckpointStore>>, StartError> {
    match (given, config.queue.checkpoint.store) {
        (Some(given), _) => Ok(Some(given)),
        (None, CheckpointStoreKind::None) => Ok(None),
        (None, CheckpointStoreKind::Postgres) => {
            let database = database.ok_or(StartError::NO_DATABASE)?;
            let store: Arc<dyn CheckpointStore> =
                Arc::new(PostgresCheckpoints::new(database.postgres.clone()));
            Ok(Some(Adapter::new(store).of_system("postgresql")))
        }
    }
}

/// The store that reserves numbers, and how many it reserves.
pub(crate) fn reservation(
    config: &Config,
    adapter: Adapter<dyn CheckpointStore>,
    meters: &Meters,
) -> NumberReservation {
    let observer = metrics::observer(meters, adapter.system);
    let store = LayerStack::on(adapter.port).observed(observer).port();
    NumberReservation { store, numbers: config.queue.checkpoint.reserve }
}
