//! What diesel needs to manage transactions on a connection. Only migrations have transactions of
//! more than one statement.

use diesel::connection::{CacheSize, Instrumentation};
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AnsiTransactionManager, AsyncConnection};

use super::Connection;

/// State that diesel keeps with a connection.
#[derive(Default)]
pub(super) struct Transactions {
    manager: AnsiTransactionManager,
    instrumentation: Option<Box<dyn Instrumentation>>,
}

impl AsyncConnection for Connection {
    type TransactionManager = AnsiTransactionManager;

    /// The connector opens connections.
    async fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("no connection is opened through diesel".to_owned()))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions.manager
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.transactions.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.transactions.instrumentation = Some(Box::new(instrumentation));
    }

    /// The cache has no limit: the statements here are a handful.
    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}
