//! A server that allows no more connections than the pool has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use connection_pool::{Call, ConnectionPool, ManageConnection, PoolSettings, ServerLimits, Slot};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::support::{ACQUIRE, ANSWER, CONNECT_LIMIT, SETTINGS};

/// How long closing a connection waits for one that is opened too early.
const CLOSING: Duration = Duration::from_millis(50);

/// Every connection of it is broken after one call, and is closed slowly.
#[derive(Clone, Default)]
struct Manager(Arc<Server>);

#[derive(Default)]
struct Server {
    open: AtomicU32,
    most: AtomicU32,
}

struct Connection(Arc<Server>);

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = ();

    async fn connect(&self) -> Result<Connection, ()> {
        let open = self.0.open.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(open, SeqCst);
        Ok(Connection(Arc::clone(&self.0)))
    }

    async fn is_valid(&self, _: &mut Connection) -> Result<(), ()> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let begun = Instant::now();
        while self.0.most.load(SeqCst) < 2 && begun.elapsed() < CLOSING {
            std::thread::yield_now();
        }
        self.0.open.fetch_sub(1, SeqCst);
    }
}

struct Nothing;

impl Call<Manager> for Nothing {
    type Answer = ();

    async fn run(self, _: &mut Slot<'_, Manager>) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_is_closed_before_another_takes_its_place() {
    let manager = Manager::default();
    let settings = PoolSettings { size: 1, max_waiting: 4, acquire: 5 * ACQUIRE, ..SETTINGS };
    let limits = ServerLimits { connect: CONNECT_LIMIT, answer: ANSWER };
    let pool =
        ConnectionPool::open(manager.clone(), &settings, limits, Arc::default(), Handle::current());
    let mut calls = JoinSet::new();
    for _call in 0..5 {
        let pool = pool.clone();
        calls.spawn(async move { pool.run(Nothing).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(manager.0.most.load(SeqCst), 1, "connections open at a time");
}
