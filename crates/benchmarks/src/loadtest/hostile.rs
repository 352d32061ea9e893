//! Hostile connections during a scenario: `--hostile N` of them, from a separate address.
//!
//! They hold connections open, read nothing, stop halfway through a request, or send invalid
//! requests. The scenario measures the effect on honest clients.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use serde::{Deserialize, Serialize};
use test_support::{Outcome, failed};

use crate::load::pace::runtime;

/// Linux accepts connections on the whole of 127.0.0.0/8, so limits by address can separate these
/// from honest clients.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Delay before a refused or closed connection is opened again.
const AGAIN: Duration = Duration::from_millis(200);
/// Interval of a repeated step on each connection.
const EVERY: Duration = Duration::from_millis(100);
/// Limit for an answer before the connection is given up.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes that `ReadsNothing` sends at a time.
const AHEAD: usize = 64 * 1024;

/// What one hostile connection does, repeatedly.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Way {
    /// Requests pages and never reads an answer.
    ReadsNothing,
    /// Starts a second request after a complete one, and stops.
    StopsInHead,
    /// Announces a body and sends only a part of it.
    StopsInBody,
    /// Sends a head one byte at a time.
    SlowHead,
    /// Connects and sends nothing.
    Idle,
    /// Sends bytes that are not HTTP.
    Garbage,
    /// Encodes a path with a percent sign.
    Spelling,
    /// Sends a token without a valid signature.
    Forgery,
}

impl Way {
    const ALL: [Self; 8] = [
        Self::ReadsNothing,
        Self::StopsInHead,
        Self::StopsInBody,
        Self::SlowHead,
        Self::Idle,
        Self::Garbage,
        Self::Spelling,
        Self::Forgery,
    ];
}

/// How many connections of each way were made, and how many the service closed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Counts(BTreeMap<String, Count>);

/// The counts of one way.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Count {
    connections: u64,
    closed: u64,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    closed: AtomicU64,
}

/// Runs until `end`.
pub(super) struct Hostile {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Outcome<Counts>>,
}

impl Hostile {
    /// Connects `count` times to the service at `url`, equally often for each way.
    pub(super) fn begin(count: u32, url: &str) -> Outcome<Self> {
        let address = address_in(url)?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            let runtime = runtime()?;
            Ok(runtime.block_on(everybody(count, address, stopped)))
        });
        Ok(Self { stop, thread })
    }

    /// Closes all connections.
    pub(super) fn end(self) -> Outcome<Counts> {
        let _ = self.stop.send(true);
        self.thread.join().map_err(|_| failed("the hostile connections panicked"))?
    }
}

/// The address in a URL such as `http://127.0.0.1:8081/api/v1`.
fn address_in(url: &str) -> Outcome<SocketAddr> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let address = rest.split('/').next().unwrap_or(rest);
    address.parse().map_err(|error| {
        failed(format!("hostile connections need an IP address, not {address}: {error}"))
    })
}

async fn everybody(count: u32, address: SocketAddr, stopped: watch::Receiver<bool>) -> Counts {
    let counters: BTreeMap<Way, Arc<Counters>> =
        Way::ALL.into_iter().map(|way| (way, Arc::default())).collect();
    let tasks: Vec<_> = (Way::ALL.into_iter().cycle().zip(0..count))
        .map(|(way, _)| {
            let (counters, mut stopped) = (Arc::clone(&counters[&way]), stopped.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = again_and_again(way, address, &counters) => {}
                    _ = stopped.wait_for(|is_over| *is_over) => {}
                }
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
    let count = |counters: &Counters| Count {
        connections: counters.connections.load(Ordering::Relaxed),
        closed: counters.closed.load(Ordering::Relaxed),
    };
    Counts(counters.iter().map(|(way, counters)| (format!("{way:?}"), count(counters))).collect())
}

async fn again_and_again(way: Way, address: SocketAddr, counters: &Counters) {
    loop {
        if let Ok(stream) = connect(address).await {
            counters.connections.fetch_add(1, Ordering::Relaxed);
            // Only the service ends the connection.
            let _ = way.take(stream).await;
            counters.closed.fetch_add(1, Ordering::Relaxed);
        }
        sleep(AGAIN).await;
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(FROM), 0))?;
    timeout(ANSWER, socket.connect(address)).await?
}

impl Way {
    async fn take(self, mut stream: TcpStream) -> std::io::Result<()> {
        const PAGE: &[u8] = b"GET /api/v1/concerts/query?page=1 HTTP/1.1\r\nhost: x\r\n\r\n";
        match self {
            Self::ReadsNothing => {
                let many = PAGE.repeat(AHEAD / PAGE.len());
                loop {
                    stream.write_all(&many).await?;
                }
            }
            Self::StopsInHead => {
                stream.write_all(PAGE).await?;
                answer(&mut stream).await?;
                stream.write_all(b"GET /api/v1/concerts/query?page=1 HTTP/1.1\r\nho").await?;
                until_closed(&mut stream).await
            }
            Self::StopsInBody => {
                let head = b"POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{";
                stream.write_all(head).await?;
                until_closed(&mut stream).await
            }
            Self::SlowHead => {
                for byte in PAGE.iter().cycle() {
                    stream.write_all(&[*byte]).await?;
                    sleep(EVERY * 5).await;
                }
                Ok(())
            }
            Self::Idle => until_closed(&mut stream).await,
            Self::Garbage => {
                stream.write_all(b"\x16\x03\x01 this is no request\r\n\r\n").await?;
                until_closed(&mut stream).await
            }
            Self::Spelling => {
                let path = b"GET /api/v1/concerts%2Fquery?page=1 HTTP/1.1\r\nhost: x\r\n\r\n";
                repeat(&mut stream, path).await
            }
            Self::Forgery => {
                let query = format!(
                    "GET /api/v1/user/queue/token/query HTTP/1.1\r\nhost: x\r\nwaitingtoken: {}\r\n\r\n",
                    "AY".repeat(33)
                );
                repeat(&mut stream, query.as_bytes()).await
            }
        }
    }
}

/// Repeats a request, and reads each answer.
async fn repeat(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(request).await?;
        answer(stream).await?;
        sleep(EVERY).await;
    }
}

/// Reads an answer; answers here fit into one read.
async fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    match timeout(ANSWER, stream.read(&mut bytes)).await?? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

async fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hostile connections (made, closed by the service):")?;
        self.0.iter().try_for_each(|(way, Count { connections, closed })| {
            write!(f, " {way} {connections}, {closed};")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_service_is_in_its_url() {
        assert_eq!(address_in("http://127.0.0.1:8081/api/v1").unwrap().port(), 8081);
        assert!(address_in("http://localhost/api/v1").is_err());
    }
}
