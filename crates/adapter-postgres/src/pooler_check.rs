//! Whether the pooler in front of the database is the one that the address names.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::connect::Connector;
use crate::error::SetupError;
use crate::pooler::Pooler;

/// How often two connections are compared. Between the two questions of a comparison another client
/// may take the server connection that they share.
const COMPARISONS: usize = 5;

/// Checks that what answers is what the address says. A pooler that is not what it is taken for
/// drops the limits of a session, mixes up prepared statements and leaves locks behind.
pub(crate) async fn check(connector: &Connector, client: &Client) -> Result<(), SetupError> {
    match connector.address().pooler() {
        Pooler::None => check_limits(connector, client).await,
        Pooler::Session => check_own_server(connector, client).await,
        // These sessions work with every pool mode.
        Pooler::Transaction => Ok(()),
    }
}

/// A pooler can be configured to ignore startup options.
async fn check_limits(connector: &Connector, client: &Client) -> Result<(), SetupError> {
    const SETTINGS: &str = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)";
    let address = connector.address();
    let expected = connector.limits().settings();
    let names = expected.each_ref().map(|(name, _)| *name);
    let rows = client.query_typed(SETTINGS, &[(&names.as_slice(), Type::TEXT_ARRAY)]).await;
    for row in rows.map_err(|error| SetupError::of(&error, address))? {
        let (name, value): (String, String) = (row.get(0), row.get(1));
        if !expected.iter().any(|(known, limit)| *known == name && limit.to_string() == value) {
            return Err(SetupError::pooler(address, "it ignored the startup options"));
        }
    }
    Ok(())
}

/// Two open connections with one server process share it between transactions.
async fn check_own_server(connector: &Connector, client: &Client) -> Result<(), SetupError> {
    let address = connector.address();
    let (other, _driver) = connector.connect().await?;
    for _ in 0..COMPARISONS {
        let ours = server_process(client).await;
        let of_other = server_process(&other).await;
        let failed = |error| SetupError::of(&error, address);
        if ours.map_err(failed)? == of_other.map_err(failed)? {
            return Err(SetupError::SharedServer { at: address.to_string() });
        }
    }
    Ok(())
}

async fn server_process(client: &Client) -> Result<i32, tokio_postgres::Error> {
    client.query_typed_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)
}
