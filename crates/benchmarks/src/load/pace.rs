//! Load on nodes: requests that are sent when due, whether or not earlier ones were answered, or in
//! a closed loop.
//!
//! k6 can do the first too, but takes processor time that the nodes need, and reports nothing by
//! the second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use test_support::{Doing as _, Outcome, failed};
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::outcomes::{Seen, What};

/// When the next request is sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// At this rate a second. A request that starts late, for lack of a connection, is timed from
    /// when it was due.
    Open(u64),
    /// On each connection as soon as the last one is answered.
    Closed,
}

/// The requests and their targets.
#[derive(Clone)]
pub struct Asking {
    /// Connections are distributed over the nodes in turn.
    pub nodes: Vec<SocketAddr>,
    /// How many of them.
    pub connections: usize,
    /// Builds the nth request to one of the nodes, from 0.
    pub request: Arc<dyn Fn(u64, usize) -> Vec<u8> + Send + Sync>,
}

/// Load from a separate thread.
pub struct Load {
    begun: Instant,
    thread: JoinHandle<Outcome<Vec<Seen>>>,
}

impl Load {
    /// Starts the load.
    ///
    /// # Errors
    /// If its runtime cannot be started.
    pub fn start(asking: Asking, pace: Pace, lasts: Duration) -> Outcome<Self> {
        let (began, begins) = channel();
        let thread =
            std::thread::spawn(move || runtime()?.block_on(all(asking, pace, lasts, began)));
        match begins.recv() {
            Ok(begun) => Ok(Self { begun, thread }),
            Err(_) => Err(ended(thread).err().unwrap_or_else(|| failed("the load did not begin"))),
        }
    }

    /// Waits until `seconds` have passed since it began.
    pub fn wait_for(&self, seconds: f64) {
        let due = Duration::from_secs_f64(seconds);
        while let Some(left) = due.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero())
        {
            std::thread::park_timeout(left);
        }
    }

    /// Seconds since it began.
    pub fn passed(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// If the load itself failed; failed requests are outcomes.
    pub fn join(self) -> Outcome<Vec<Seen>> {
        ended(self.thread)
    }

    /// Starts the load and waits for its end.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`join`](Self::join).
    pub fn run(asking: Asking, pace: Pace, lasts: Duration) -> Outcome<Vec<Seen>> {
        Self::start(asking, pace, lasts)?.join()
    }
}

fn ended(thread: JoinHandle<Outcome<Vec<Seen>>>) -> Outcome<Vec<Seen>> {
    thread.join().unwrap_or_else(|_| Err(failed("the load panicked")))
}

/// A single-threaded runtime: one thread suffices, and takes at most one core.
///
/// # Errors
/// If the operating system refuses.
pub fn runtime() -> Outcome<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting a runtime")
}

async fn all(
    asking: Asking,
    pace: Pace,
    lasts: Duration,
    began: Sender<Instant>,
) -> Outcome<Vec<Seen>> {
    let connection = |n: usize| {
        let node = n % asking.nodes.len();
        (node, Client::of(asking.nodes[node]))
    };
    let clients: Vec<_> = (0..asking.connections).map(connection).collect();
    let begin = Instant::now() + Duration::from_millis(100);
    let _ = began.send(begin);
    let next = asking.nodes.iter().map(|_| AtomicU64::new(0)).collect();
    let turns = Arc::new(Turns { next, begin, lasts, pace, asking });
    let people: Vec<_> = clients
        .into_iter()
        .map(|(node, client)| tokio::spawn(Arc::clone(&turns).take(client, node)))
        .collect();
    let mut seen = Vec::new();
    for person in people {
        seen.extend(person.await.map_err(|error| failed(error.to_string()))?);
    }
    Ok(seen)
}

/// State shared by all connections.
struct Turns {
    /// The next request number of each node.
    next: Vec<AtomicU64>,
    begin: Instant,
    lasts: Duration,
    pace: Pace,
    asking: Asking,
}

impl Turns {
    async fn take(self: Arc<Self>, mut client: Client, node: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let n = self.next[node].fetch_add(1, Ordering::Relaxed);
            let due = match self.pace {
                Pace::Open(per_second) => {
                    let nth = n * self.next.len() as u64 + node as u64;
                    self.begin + Duration::from_nanos(nth * 1_000_000_000 / per_second)
                }
                Pace::Closed => Instant::now().max(self.begin),
            };
            if due >= self.begin + self.lasts {
                return seen;
            }
            sleep_until(due).await;
            let request = (self.asking.request)(n, node);
            let what =
                client.request(&request).await.map_or(What::Failed, super::client::Head::what);
            seen.push(Seen { at: due - self.begin, took: due.elapsed(), what });
        }
    }
}

/// A pseudo-random number from 1 to `most`, the same for the same `n`.
#[must_use]
pub fn draw(n: u64, most: u64) -> u64 {
    fastrand::Rng::with_seed(n).u64(1..=most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_numbers_cover_the_range() {
        let mut drawn: Vec<u64> = (0..10_000).map(|n| draw(n, 1_000)).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() > 990 && drawn[0] >= 1 && drawn[drawn.len() - 1] <= 1_000);
    }
}
