//! A server whose connections are numbers, and calls that end when a test says so.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connection_pool::{
    Call, ConnectError, ConnectionPool, ManageConnection, Meter, PoolError, PoolSettings,
    ServerLimits, Slot,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub(crate) const ACQUIRE: Duration = Duration::from_secs(2);
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// How long an attempt to connect may take, longer than calls wait.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long connecting takes.
pub(crate) const CONNECT: Duration = Duration::from_millis(10);

pub(crate) const SETTINGS: PoolSettings = PoolSettings {
    size: 2,
    min_idle: 0,
    acquire: ACQUIRE,
    max_waiting: 3,
    idle: Duration::from_secs(600),
    lifetime: Duration::from_secs(600),
};

pub(crate) type Pool = ConnectionPool<Manager>;
pub(crate) type Outcome = Result<u32, PoolError<Refusal>>;

/// Why connecting failed: the number of the attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal(pub(crate) u32);

/// What an attempt to connect comes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Attempt {
    #[default]
    Succeeds,
    Fails,
    Hangs,
    Panics,
}

/// Connects to nothing.
#[derive(Clone, Default)]
pub(crate) struct Manager(Arc<Server>);

#[derive(Default)]
struct Server {
    attempt: Mutex<Attempt>,
    attempts: AtomicU32,
    is_invalid: AtomicBool,
    check_hangs: AtomicBool,
    is_broken: AtomicBool,
    has_broken_panics: AtomicBool,
}

/// The number of the attempt that opened it.
pub(crate) struct Connection(pub(crate) u32);

impl Manager {
    pub(crate) fn set(&self, attempt: Attempt) {
        *self.0.attempt.lock().unwrap() = attempt;
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts.load(SeqCst)
    }

    /// Whether the next check finds a connection unusable.
    pub(crate) fn set_invalid(&self, is_invalid: bool) {
        self.0.is_invalid.store(is_invalid, SeqCst);
    }

    pub(crate) fn set_check_hangs(&self, hangs: bool) {
        self.0.check_hangs.store(hangs, SeqCst);
    }

    /// Whether connections are broken when their calls end.
    pub(crate) fn set_broken(&self, is_broken: bool) {
        self.0.is_broken.store(is_broken, SeqCst);
    }

    pub(crate) fn set_has_broken_panics(&self, panics: bool) {
        self.0.has_broken_panics.store(panics, SeqCst);
    }
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Refusal;

    async fn connect(&self) -> Result<Connection, Refusal> {
        let number = self.0.attempts.fetch_add(1, SeqCst) + 1;
        tokio::time::sleep(CONNECT).await;
        let attempt = *self.0.attempt.lock().unwrap();
        match attempt {
            Attempt::Succeeds => Ok(Connection(number)),
            Attempt::Fails => Err(Refusal(number)),
            Attempt::Hangs => std::future::pending().await,
            Attempt::Panics => panic!("as the test wants"),
        }
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Refusal> {
        if self.0.check_hangs.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.0.is_invalid.swap(false, SeqCst) { Err(Refusal(connection.0)) } else { Ok(()) }
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        assert!(!self.0.has_broken_panics.load(SeqCst), "as the test wants");
        self.0.is_broken.load(SeqCst)
    }
}

/// The outcome of a call that found no connection because this attempt failed.
pub(crate) fn refused(attempt: u32) -> Outcome {
    Err(PoolError::NotConnected(ConnectError::Failed(Refusal(attempt))))
}

pub(crate) fn pool(settings: &PoolSettings) -> (Pool, Manager) {
    let manager = Manager::default();
    (pool_of(&manager, settings, Arc::default()), manager)
}

pub(crate) fn pool_of(manager: &Manager, settings: &PoolSettings, meter: Arc<Meter>) -> Pool {
    let limits = ServerLimits { connect: CONNECT_LIMIT, answer: ANSWER };
    ConnectionPool::open(manager.clone(), settings, limits, meter, Handle::current())
}

/// Returns the number of its connection.
pub(crate) struct Ask;

impl Call<Manager> for Ask {
    type Answer = u32;

    async fn run(self, slot: &mut Slot<'_, Manager>) -> u32 {
        slot.0
    }
}

/// Ends when the test opens the gate, and notes its name when it begins and ends.
#[derive(Clone)]
pub(crate) struct Gate {
    opened: Arc<Semaphore>,
    notes: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Gated {
    gate: Gate,
    name: u32,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { opened: Arc::new(Semaphore::new(0)), notes: Arc::default() }
    }

    pub(crate) fn call(&self, name: u32) -> Gated {
        Gated { gate: self.clone(), name }
    }

    /// Lets this many calls end.
    pub(crate) fn open(&self, calls: usize) {
        self.opened.add_permits(calls);
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    fn note(&self, name: u32, what: &str) {
        self.notes.lock().unwrap().push(format!("{name} {what}"));
    }
}

impl Call<Manager> for Gated {
    type Answer = u32;

    async fn run(self, slot: &mut Slot<'_, Manager>) -> u32 {
        self.gate.note(self.name, "begins");
        self.gate.opened.acquire().await.unwrap().forget();
        self.gate.note(self.name, "ends");
        slot.0
    }
}

/// Runs everything that can run without the passing of more than this time.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Runs everything that can run now, connecting included.
pub(crate) async fn settle() {
    pass(2 * CONNECT).await;
}
