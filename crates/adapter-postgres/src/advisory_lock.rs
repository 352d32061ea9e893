//! Mutual exclusion for work on the whole database.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::address::PostgresAddress;
use crate::connect::Connector;
use crate::error::SetupError;
use crate::session::{ConnectionTask, SessionLimits};

/// A kind of work and its advisory lock. The number is arbitrary but must stay the same; a lock is
/// scoped to one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Who does the work, in messages.
    pub(crate) who: &'static str,
    pub(crate) lock: i64,
}

/// How long to wait for another worker: longer than the work should take.
const WAIT_FOR_ANOTHER: Duration = Duration::from_secs(120);

/// How often to try the lock. It is polled because a statement that waits in the server holds a
/// snapshot, and a `CREATE INDEX CONCURRENTLY` of the lock's holder would wait for that snapshot.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Opens a connection that holds the lock for its lifetime. The work runs on this connection, so
/// the lock cannot be lost before the work ends.
pub(crate) async fn lock(
    address: &PostgresAddress,
    limits: SessionLimits,
    work: Work,
) -> Result<(Client, ConnectionTask), SetupError> {
    let (client, driver) = Connector::new(address.clone(), limits)?.connect().await?;
    let give_up = Instant::now() + WAIT_FOR_ANOTHER;
    while !try_lock(&client, work).await.map_err(|error| SetupError::of(&error, address))? {
        if Instant::now() > give_up {
            return Err(SetupError::another(address, work.who, WAIT_FOR_ANOTHER));
        }
        sleep(ASK_EVERY).await;
    }
    Ok((client, driver))
}

async fn try_lock(client: &Client, work: Work) -> Result<bool, tokio_postgres::Error> {
    client.query_one("SELECT pg_try_advisory_lock($1)", &[&work.lock]).await?.try_get(0)
}
