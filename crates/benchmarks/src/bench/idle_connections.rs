//! The memory cost of an idle connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::STANDING_STILL;
use super::service::Service;
use test_support::{Doing as _, Outcome, failed};

/// The memory of the server's process, without the kernel's memory for its sockets.
#[derive(Deserialize, Serialize)]
pub(crate) struct Idle {
    pub(crate) connections: u32,
    /// Bytes in use before, and with all connections open.
    pub(crate) before: u64,
    pub(crate) after: u64,
}

/// Allowed bytes per connection.
pub(crate) const CEILING: u64 = 16 * 1024;
const CONNECTIONS: u32 = 10_000;
/// Read timeout of a connection.
const LIMIT: Duration = Duration::from_secs(10);

impl Idle {
    pub(crate) fn bytes_each(&self) -> u64 {
        self.after.saturating_sub(self.before) / u64::from(self.connections.max(1))
    }
}

/// Each connection sends one request and stays open.
pub(super) fn measure() -> Outcome<Idle> {
    let service = Service::start("serve", &STANDING_STILL)?;
    service.join(1)?;
    let token = service.join_until(10)?;
    let question = format!(
        "GET /api/v1/user/queue/token/query HTTP/1.1\r\nHost: {}\r\nwaitingToken: {token}\r\n\r\n",
        service.address
    );
    let mut kept = vec![asked_once(&service, &question)?];
    let before = service.memory()?;
    for _ in 0..CONNECTIONS {
        kept.push(asked_once(&service, &question)?);
    }
    let after = service.memory()?;
    // The first request was a minute ago at most, so all connections are still open.
    let mut first = kept.swap_remove(0);
    ask(&mut first, &question)?;
    Ok(Idle { connections: CONNECTIONS, before, after })
}

fn asked_once(service: &Service, question: &str) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(service.address).doing("connecting")?;
    stream.set_read_timeout(Some(LIMIT)).doing("setting a time limit")?;
    ask(&mut stream, question)?;
    Ok(stream)
}

/// Reads until the closing brace: an answer is small and arrives in one or a few pieces.
fn ask(stream: &mut TcpStream, question: &str) -> Outcome {
    stream.write_all(question.as_bytes()).doing("sending a request")?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"}") {
        let length = stream.read(&mut piece).doing("reading an answer")?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(failed(format!("answered {}", String::from_utf8_lossy(&answer))))
}
