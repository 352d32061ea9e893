//! A keep-alive HTTP connection that costs little, because the generator shares the machine with
//! its target.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::outcomes::What;

/// A keep-alive connection.
pub struct Client {
    address: SocketAddr,
    /// `None` after an error, and after an answer with `Connection: close`.
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    body: Range<usize>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The status.
    pub status: u16,
    length: usize,
    is_marked: bool,
    has_retry_after: bool,
    closes: bool,
}

/// More header fields than any answer of the service has.
const MAX_FIELDS: usize = 32;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// Connects with the first request, because a node closes an unused connection.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::new(), body: 0..0 }
    }

    async fn stream(&mut self) -> Result<&mut TcpStream> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        stream.set_nodelay(true)?;
        Ok(self.stream.insert(stream))
    }

    /// Sends a request, on a new connection if the last one ended, and waits for the answer.
    ///
    /// # Errors
    /// If there is no answer within ten seconds.
    pub async fn request(&mut self, request: &[u8]) -> Result<Head> {
        let exchange = async {
            self.send(request).await?;
            self.receive().await
        };
        let answer =
            timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        if answer.as_ref().map_or(true, |head| head.closes) {
            self.stream = None;
        }
        answer
    }

    /// Sends a request without waiting for its answer.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream().await?.write_all(request).await
    }

    /// Waits for the answer to the last request.
    ///
    /// # Errors
    /// If the connection fails or ends, or the answer is not HTTP.
    pub async fn receive(&mut self) -> Result<Head> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        self.buffer.clear();
        loop {
            self.buffer.reserve(4_096);
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head =
                Head::parse(&self.buffer[..end + 4]).ok_or_else(|| Error::other("no HTTP"))?;
            self.body = end + 4..end + 4 + head.length;
            while self.buffer.len() < self.body.end {
                self.buffer.reserve(4_096);
                if stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(head);
        }
    }

    /// The body of the last answer.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.buffer.get(self.body.clone()).unwrap_or_default()
    }
}

impl Head {
    /// Parses a head up to its empty line.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        response.parse(text).ok()?.is_complete().then_some(())?;
        let mut head = Self { status: response.code?, ..Self::default() };
        for field in response.headers.iter() {
            let is = |other: &str| field.name.eq_ignore_ascii_case(other);
            if is("content-length") {
                head.length = std::str::from_utf8(field.value).ok()?.parse().ok()?;
            } else if is("connection") {
                head.closes = field.value.eq_ignore_ascii_case(b"close");
            } else {
                head.is_marked |= is("warning");
                head.has_retry_after |= is("retry-after");
            }
        }
        Some(head)
    }

    /// The outcome it means.
    #[must_use]
    pub fn what(self) -> What {
        match self.status {
            200 if self.is_marked => What::Marked,
            200 => What::Good,
            503 if self.has_retry_after => What::Refused,
            _ => What::Failed,
        }
    }
}

/// A request below the API's prefix, optionally with a token.
#[must_use]
pub fn request(method: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map(|token| format!("waitingToken: {token}\r\n")).unwrap_or_default();
    format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: boxoffice\r\nContent-Length: 0\r\n{token}\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(format!("{text}\r\n\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_is_classified_by_its_head() {
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-length: 7").what(), What::Good);
        assert_eq!(head("HTTP/1.1 200 OK\r\nWarning: 110 - \"old\"").what(), What::Marked);
        assert_eq!(head("HTTP/1.1 503 No\r\nretry-after: 1").what(), What::Refused);
        assert_eq!(head("HTTP/1.1 503 No").what(), What::Failed);
        assert_eq!(head("HTTP/1.1 500 No\r\nretry-after: 1").what(), What::Failed);
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close").length, 7);
        assert!(head("HTTP/1.1 200 OK\r\nconnection: close").closes);
        assert_eq!(Head::parse(b"nonsense"), None);
    }
}
