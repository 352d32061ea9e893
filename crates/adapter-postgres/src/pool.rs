//! The database, through a bounded pool of connections that replaces faulty ones.

mod renewal;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use connection_pool::{
    Call, ConnectError, ConnectionPool, ManageConnection, Meter, PoolError, PoolSettings,
    PoolState, ServerLimits, Slot,
};
use domain::{Dependency, PortError, PortErrorKind};
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::renewal::Renewal;
use crate::address::PostgresAddress;
use crate::connect::Connector;
use crate::error::{Failed, SetupError, overloaded, unanswered};
use crate::session::{Query, Session, SessionLimits};
use crate::sqlstates::Blame;

/// The database, through a pool of connections. Clones share the pool.
#[derive(Clone)]
pub struct Postgres(ConnectionPool<Manager>);

impl Postgres {
    /// Opens a pool that connects in the background. Must be called inside the runtime that runs
    /// it, which must outlive the pool.
    ///
    /// # Errors
    /// [`SetupError`] if TLS is required and cannot be set up. An unreachable server is not an
    /// error here.
    pub fn open(
        address: PostgresAddress,
        limits: SessionLimits,
        settings: &PoolSettings,
    ) -> Result<Self, SetupError> {
        let connector = Connector::new(address, limits)?;
        let manager = Manager { connector, renewal: Renewal::new(Instant::now()) };
        let limits = ServerLimits { connect: limits.connect, answer: limits.answer() };
        let (meter, runtime) = (Arc::<Meter>::default(), Handle::current());
        Ok(Self(ConnectionPool::open(manager, settings, limits, meter, runtime)))
    }

    /// The number of connections and of waiting calls.
    #[must_use]
    pub fn state(&self) -> PoolState {
        self.0.state()
    }

    /// Registers a listener for how long each call waited for its connection, whether it got one or
    /// not. Calls refused without waiting are not reported. The listener runs during the call, so
    /// it must not block. Only the first listener is kept.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        self.0.meter().on_wait(listener);
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.0.manager().connector
    }

    /// Runs a query on a connection of the pool. If the connection is at fault, the query runs once
    /// more on a new one, within the same limits. `name` identifies the query in errors and logs.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        query: impl Query<T>,
    ) -> Result<T, PortError> {
        let call = QueryCall { name, query, answer: PhantomData };
        self.0.run(call).await.unwrap_or_else(|error| Err(self.port_error(name, error)))
    }

    fn port_error(&self, name: &'static str, error: PoolError<SetupError>) -> PortError {
        match error {
            PoolError::TooManyWaiting => overloaded("too many calls wait for a connection"),
            PoolError::NoneFree => overloaded("no connection came free in time"),
            PoolError::NoneReady => {
                let late = "no connection within postgres.pool.acquire_timeout";
                SetupError::unreachable(self.connector().address(), late).into()
            }
            PoolError::NotConnected(error) => self.0.manager().setup_error(error).into(),
            PoolError::NoAnswer => unanswered(
                PortErrorKind::Timeout,
                name,
                "the server did not answer in time".to_owned(),
            ),
            PoolError::Lost => PortError::new(PortErrorKind::Unavailable, Dependency::POSTGRES)
                .because("the query ended without a result"),
        }
    }
}

/// A query as a call of the pool.
struct QueryCall<T, Q> {
    name: &'static str,
    query: Q,
    answer: PhantomData<fn() -> T>,
}

impl<T: Send + 'static, Q: Query<T>> Call<Manager> for QueryCall<T, Q> {
    type Answer = Result<T, PortError>;

    async fn run(self, slot: &mut Slot<'_, Manager>) -> Result<T, PortError> {
        self.run_once_or_twice(slot).await.map_err(|failed| failed.into_port_error(self.name))
    }
}

impl<T: Send + 'static, Q: Query<T>> QueryCall<T, Q> {
    /// Runs the query, and repeats it if the connection is at fault.
    async fn run_once_or_twice(&self, slot: &mut Slot<'_, Manager>) -> Result<T, Failed> {
        match slot.run(&self.query).await {
            // Boxed: the future that opens a connection is large, and would enlarge the future of
            // every query.
            Err(failed) if failed.blame().is_on_the_connection() => {
                Box::pin(self.run_again(slot, failed)).await
            }
            answer => answer,
        }
    }

    /// Repeats the query on a new connection, which has no stale state and takes the same slot of
    /// the pool. If that succeeds and other connections may share the fault, all older connections
    /// are retired.
    async fn run_again(&self, slot: &mut Slot<'_, Manager>, failed: Failed) -> Result<T, Failed> {
        let (blame, made) = (failed.blame(), slot.made());
        let manager = slot.manager();
        let renewal = &manager.renewal;
        let is_worth_it = renewal.is_worth_it(Instant::now());
        // If new connections do not help, a merely outdated one still serves other queries.
        if blame == Blame::Connection || is_worth_it {
            slot.close();
        }
        if !is_worth_it {
            return Err(failed);
        }
        let reconnected = slot.reconnect().await;
        reconnected.map_err(|error| Failed::NotConnected(manager.setup_error(error)))?;
        let answer = slot.run(&self.query).await;
        match answer.as_ref().map_err(Failed::blame) {
            Ok(_) => {
                let retires_others = blame == Blame::OldConnection && !renewal.is_retired(made);
                if retires_others {
                    renewal.retire_before(slot.made());
                }
                tracing::warn!(
                    query = self.name,
                    sqlstate = failed.code(),
                    retires_others,
                    "replaced a faulty connection to Postgres and repeated its query"
                );
            }
            Err(Blame::Connection) => {
                slot.close();
                renewal.was_in_vain(Instant::now());
            }
            Err(Blame::OldConnection) => renewal.was_in_vain(Instant::now()),
            Err(Blame::Query | Blame::Limit) => {}
        }
        answer
    }
}

/// Opens and validates the pool's connections.
struct Manager {
    connector: Connector,
    renewal: Renewal,
}

impl Manager {
    fn setup_error(&self, error: ConnectError<SetupError>) -> SetupError {
        let unreachable = |why| SetupError::unreachable(self.connector.address(), why);
        match error {
            ConnectError::Failed(error) => error,
            ConnectError::TimedOut => unreachable("no answer within postgres.connect_timeout"),
            ConnectError::Panicked => unreachable("connecting panicked"),
        }
    }

    fn is_usable(&self, session: &Session) -> bool {
        session.is_good() && !self.renewal.is_retired(session.made())
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = SetupError;

    async fn connect(&self) -> Result<Session, SetupError> {
        self.connector.session().await
    }

    /// Without a round trip: when a server goes away it closes the connection, which the
    /// connection's task notices.
    async fn is_valid(&self, session: &mut Session) -> Result<(), SetupError> {
        let over =
            || SetupError::unreachable(self.connector.address(), "the connection was closed");
        if self.is_usable(session) { Ok(()) } else { Err(over()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !self.is_usable(session)
    }
}
