//! Work on the whole database that only one may do at a time.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::address::Address;
use crate::connect::Connector;
use crate::error::SetupError;
use crate::session::{Driver, SessionLimits};

/// A kind of work, and its advisory lock. Any number will do as long as it stays the same; a lock is of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Who does it.
    pub(crate) who: &'static str,
    pub(crate) lock: i64,
}

/// How long another one is waited for: longer than the work is meant to take.
const WAIT_FOR_ANOTHER: Duration = Duration::from_secs(120);

/// How often the lock is asked for. Not by waiting in the server: a statement that waits there holds a snapshot, and an
/// index that the lock's holder makes `CONCURRENTLY` would wait for that.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A connection that holds the lock as long as it lives. The work is done on it, so that the lock cannot be lost before
/// the work has ended.
pub(crate) async fn lock(
    address: &Address,
    limits: SessionLimits,
    work: Work,
) -> Result<(Client, Driver), SetupError> {
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
