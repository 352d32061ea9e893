//! The connections to one server, in a bounded pool.

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::bb8::ManageConnection;
use bb8_redis::redis::Value;
use connection_pool::{Call, ConnectionPool, Meter, PoolSettings, PoolState, ServerLimits, Slot};
use tokio::runtime::Handle;

use super::connection::{Connector, Request, Session};
use super::failure::Failure;

/// Limits of the connections to a server and of the calls that wait for one. On a cluster they
/// apply to each primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePoolSettings {
    /// Maximum connections; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`. None on a cluster, whose nodes come and go.
    pub min_idle: u32,
    /// Maximum time a call waits for a connection.
    pub acquire: Duration,
    /// Maximum calls that wait for a connection; further calls are refused.
    pub max_waiting: u32,
    /// Maximum time until a connection is ready.
    pub connect: Duration,
    /// Maximum time a server takes to answer.
    pub answer: Duration,
    /// A connection unused for this long is closed.
    pub idle: Duration,
    /// A connection of this age is closed when it is returned.
    pub lifetime: Duration,
}

impl Default for CachePoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            min_idle: 1,
            acquire: Duration::from_millis(50),
            // Eight connections answer some 40,000 calls a second, so a thousand calls wait half of
            // the acquire limit.
            max_waiting: 1_000,
            connect: Duration::from_secs(1),
            answer: Duration::from_millis(100),
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(1_800),
        }
    }
}

impl CachePoolSettings {
    /// Those of the pool; the others are of a connection.
    fn pool(&self) -> PoolSettings {
        let Self { size, min_idle, acquire, max_waiting, connect: _, answer: _, idle, lifetime } =
            *self;
        PoolSettings { size, min_idle, acquire, max_waiting, idle, lifetime }
    }
}

/// A pool. Clones share it.
#[derive(Clone)]
pub(super) struct Pool(ConnectionPool<Manager>);

impl Pool {
    /// Opens a pool that connects in the background on this runtime and counts waiting calls in
    /// this meter.
    pub(super) fn open(
        connector: Connector,
        settings: &CachePoolSettings,
        meter: Arc<Meter>,
        runtime: Handle,
    ) -> Self {
        let manager = Manager(connector);
        let limits = ServerLimits { connect: settings.connect, answer: settings.answer };
        Self(ConnectionPool::open(manager, &settings.pool(), limits, meter, runtime))
    }

    /// Sends a command over a connection of the pool.
    pub(super) async fn run(&self, request: Request, asking: bool) -> Result<Value, Failure> {
        self.0.run(RequestCall { request, asking }).await.unwrap_or_else(|error| Err(error.into()))
    }

    /// Adds the connections of this pool to a state.
    pub(super) fn add_to(&self, state: &mut PoolState) {
        self.0.add_to(state);
    }
}

/// A command as a call of the pool.
struct RequestCall {
    request: Request,
    asking: bool,
}

impl Call<Manager> for RequestCall {
    type Answer = Result<Value, Failure>;

    async fn run(self, session: &mut Slot<'_, Manager>) -> Result<Value, Failure> {
        session.run(&self.request, self.asking).await
    }
}

/// Makes and checks the pool's connections. bb8-redis has its own manager, but it pings the server
/// before every call, never treats a connection as broken, and has fixed limits.
struct Manager(Connector);

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = Failure;

    async fn connect(&self) -> Result<Session, Failure> {
        self.0.session().await
    }

    /// Without a round trip: if the server is gone, the connection's task has seen it close.
    async fn is_valid(&self, session: &mut Session) -> Result<(), Failure> {
        let closed = || Failure::NoConnection("the connection was closed".to_owned());
        if session.is_good() { Ok(()) } else { Err(closed()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.is_good()
    }
}
