//! How statements are sent to the server.

use std::collections::HashMap;

use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use super::Query;
use crate::limits::SessionLimits;

/// How statements are sent.
pub(crate) enum Statements {
    /// Each is prepared once for the session. By SQL text.
    Prepared(HashMap<String, Statement>),
    /// Each is parsed and executed in one round trip, and leaves nothing behind.
    Unnamed,
    /// As [`Unnamed`](Self::Unnamed), each in a transaction of its own that begins with these
    /// statements. For sessions whose connection to the server may change after each transaction.
    EachInATransaction(String),
}

impl Statements {
    pub(crate) fn prepared() -> Self {
        Self::Prepared(HashMap::new())
    }

    pub(crate) fn each_in_a_transaction(limits: SessionLimits) -> Self {
        Self::EachInATransaction(format!("BEGIN; {}", limits.for_the_transaction()))
    }

    pub(super) async fn query(&mut self, client: &Client, query: Query) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(prepared) => {
                let statement = prepare(prepared, client, &query).await?;
                client.query(&statement, &values(&query)).await
            }
            Self::Unnamed => client.query_typed(&query.sql, &typed_values(&query)).await,
            Self::EachInATransaction(begin) => {
                let values = typed_values(&query);
                in_a_transaction(client, begin, client.query_typed(&query.sql, &values)).await
            }
        }
    }

    /// Returns the number of rows that changed.
    pub(super) async fn execute(&mut self, client: &Client, query: Query) -> Result<u64, Error> {
        match self {
            Self::Prepared(prepared) => {
                let statement = prepare(prepared, client, &query).await?;
                client.execute(&statement, &values(&query)).await
            }
            Self::Unnamed => client.execute_typed(&query.sql, &typed_values(&query)).await,
            Self::EachInATransaction(begin) => {
                let values = typed_values(&query);
                in_a_transaction(client, begin, client.execute_typed(&query.sql, &values)).await
            }
        }
    }
}

async fn prepare(
    prepared: &mut HashMap<String, Statement>,
    client: &Client,
    query: &Query,
) -> Result<Statement, Error> {
    if let Some(statement) = prepared.get(&query.sql) {
        return Ok(statement.clone());
    }
    let statement = client.prepare_typed(&query.sql, &query.types).await?;
    prepared.insert(query.sql.clone(), statement.clone());
    Ok(statement)
}

/// Sends all three parts at once, so that the transaction costs no round trip. The driver sends
/// them in the order in which they are first polled. If a statement fails, `COMMIT` rolls back.
async fn in_a_transaction<T>(
    client: &Client,
    begin: &str,
    statement: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let parts = join3(client.batch_execute(begin), statement, client.batch_execute("COMMIT"));
    let (begun, answer, ended) = parts.await;
    begun?;
    let answer = answer?;
    ended?;
    Ok(answer)
}

fn values(query: &Query) -> Vec<&(dyn ToSql + Sync)> {
    query.binds.iter().map(|bind| bind as &(dyn ToSql + Sync)).collect()
}

fn typed_values(query: &Query) -> Vec<(&(dyn ToSql + Sync), Type)> {
    values(query).into_iter().zip(query.types.iter().cloned()).collect()
}
