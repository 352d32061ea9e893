//! Waiting times of joins at a steady rate, whether or not earlier ones were answered.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Pair;
use super::http::on_redis;
use test_support::{Doing as _, Outcome, RedisBinaries, failed};

/// Waiting times of all joins.
pub(super) struct Steady {
    pub(super) per_second: u64,
    pub(super) joins: usize,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) p999: Duration,
}

/// Connections, each with one join in flight. They suffice unless answers take a tenth of a second.
const CONNECTIONS: u64 = 1_000;

pub(super) fn measure(
    binaries: &RedisBinaries,
    per_second: u64,
    seconds: u32,
    out: &Path,
) -> Outcome<Steady> {
    let pair = Pair::start(binaries)?;
    let service = on_redis(&pair, &["queue.id=steady"])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing("starting a runtime")?;
    let mut waits = runtime.block_on(joins(service.address, per_second, seconds))?;
    waits.sort_unstable();
    let at = |part: f64| {
        waits
            .get(((waits.len().saturating_sub(1)) as f64 * part) as usize)
            .copied()
            .unwrap_or_default()
    };
    let steady =
        Steady { per_second, joins: waits.len(), p50: at(0.5), p99: at(0.99), p999: at(0.999) };
    let text = format!(
        "{} joins offered at {per_second} a second\np50 {:?}\np99 {:?}\np99.9 {:?}\nlongest {:?}\n",
        steady.joins,
        steady.p50,
        steady.p99,
        steady.p999,
        at(1.0)
    );
    fs::write(out.join("steady.txt"), &text).doing("writing steady.txt")?;
    println!("{text}");
    Ok(steady)
}

/// Times each join from the moment it was due, so that a late start counts as waiting.
async fn joins(
    address: std::net::SocketAddr,
    per_second: u64,
    seconds: u32,
) -> Outcome<Vec<Duration>> {
    // The measurement excludes connecting.
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        streams.push(TcpStream::connect(address).await.doing("connecting")?);
    }
    let (begin, next) = (Instant::now() + Duration::from_millis(200), Arc::new(AtomicU64::new(0)));
    let total = per_second * u64::from(seconds);
    let people: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut waits = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= total {
                        return Outcome::Ok(waits);
                    }
                    let due = begin + Duration::from_nanos(n * 1_000_000_000 / per_second);
                    sleep_until(due).await;
                    join(&mut stream, n + 1).await?;
                    waits.push(due.elapsed());
                }
            })
        })
        .collect();
    let mut waits = Vec::new();
    for person in people {
        waits.extend(person.await.map_err(|error| failed(error.to_string()))??);
    }
    Ok(waits)
}

/// Sends one join; anything but 200 is a failure.
async fn join(stream: &mut TcpStream, user: u64) -> Outcome {
    let request = format!(
        "POST /api/v1/user/{user}/queue/token/issue HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.doing("sending a join")?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 2_048]);
    loop {
        let read = stream.read(&mut buffer).await.doing("reading an answer")?;
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        if read == 0 || !text.starts_with("HTTP/1.1 200") && answer.len() > 12 {
            return Err(failed(format!("a join was answered {text}")));
        }
        // The body is one flat object.
        if text.ends_with('}') {
            return Ok(());
        }
    }
}
