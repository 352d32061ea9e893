//! Mutual exclusion for work on the whole database.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::address::PostgresAddress;
use crate::connect::Connector;
use crate::error::SetupError;
use crate::limits::SessionLimits;
use crate::pooler::Pooler;
use crate::pooler_check;
use crate::session::ConnectionTask;

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

/// Keeps the lock, and the connection for the work, until this is dropped.
pub(crate) struct Lock {
    _worker: ConnectionTask,
    /// The open transaction that holds the lock, if a session cannot.
    _holder: Option<(Client, ConnectionTask)>,
}

/// Opens a connection for the work and takes the lock. The session holds the lock, so that it cannot be lost
/// before the work ends. Behind a pooler in transaction mode a session holds nothing: there, an open
/// transaction on a second connection does. Both kinds exclude each other.
///
/// A lost second connection does not stop the work. Every step of the work that another worker could
/// repeat meanwhile is a transaction with unique keys, of which only one succeeds.
pub(crate) async fn lock(
    address: &PostgresAddress,
    limits: SessionLimits,
    work: Work,
) -> Result<(Client, Lock), SetupError> {
    let connector = Connector::new(address.clone(), limits)?;
    let (client, driver) = connector.connect().await?;
    match address.pooler() {
        Pooler::None | Pooler::Session => {
            pooler_check::check(&connector, &client).await?;
            wait_for(&client, address, Holder::Session, work).await?;
            Ok((client, Lock { _worker: driver, _holder: None }))
        }
        Pooler::Transaction => {
            let holder = (client, driver);
            wait_for(&holder.0, address, Holder::Transaction, work).await?;
            let (client, driver) = connector.connect().await?;
            // The pooler answers by itself up to here, and has a second connection to the server
            // only if its pool is larger than one.
            let answer = timeout(limits.connect, client.batch_execute("SELECT")).await;
            let late = |_| SetupError::unreachable(address, "the pooler has no second connection");
            answer.map_err(late)?.map_err(|error| SetupError::of(&error, address))?;
            Ok((client, Lock { _worker: driver, _holder: Some(holder) }))
        }
    }
}

/// Takes the lock, or fails if another worker holds it for too long.
async fn wait_for(
    client: &Client,
    address: &PostgresAddress,
    holder: Holder,
    work: Work,
) -> Result<(), SetupError> {
    let give_up = Instant::now() + WAIT_FOR_ANOTHER;
    loop {
        let taken = match holder {
            Holder::Session => try_lock_session(client, work).await,
            Holder::Transaction => try_lock_transaction(client, work).await,
        };
        if taken.map_err(|error| SetupError::of(&error, address))? {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(SetupError::another(address, work.who, WAIT_FOR_ANOTHER));
        }
        sleep(ASK_EVERY).await;
    }
}

#[derive(Clone, Copy)]
enum Holder {
    Session,
    Transaction,
}

async fn try_lock_session(client: &Client, work: Work) -> Result<bool, tokio_postgres::Error> {
    is_taken(client, "SELECT pg_try_advisory_lock($1)", work).await
}

/// Leaves a transaction open if it got the lock. The transaction may be idle for as long as the
/// work takes, and holds no snapshot meanwhile.
async fn try_lock_transaction(client: &Client, work: Work) -> Result<bool, tokio_postgres::Error> {
    const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0";
    client.batch_execute(BEGIN).await?;
    let is_taken = is_taken(client, "SELECT pg_try_advisory_xact_lock($1)", work).await?;
    if !is_taken {
        client.batch_execute("ROLLBACK").await?;
    }
    Ok(is_taken)
}

async fn is_taken(
    client: &Client,
    statement: &str,
    work: Work,
) -> Result<bool, tokio_postgres::Error> {
    client.query_typed_one(statement, &[(&work.lock, Type::INT8)]).await?.try_get(0)
}
