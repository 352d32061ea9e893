//! TCP proxies that delay, follow a failover, and lose a reply.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use test_support::{FaultProxy, Redis, RedisBinaries, RedisSetup};

const LIMIT: Duration = Duration::from_secs(30);

fn start() -> Redis {
    Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap()
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn to(proxy: &FaultProxy) -> Self {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, words: &str) {
        self.0.get_mut().write_all(format!("{words}\r\n").as_bytes()).unwrap();
    }

    /// Reads a line; `None` at the end of the connection.
    fn receive(&mut self) -> Option<String> {
        let mut line = String::new();
        // The end of a connection can be an error too.
        let read = self.0.read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim().to_owned())
    }

    fn request(&mut self, words: &str) -> Option<String> {
        self.send(words);
        self.receive()
    }
}

#[test]
fn a_request_is_executed_and_its_reply_is_lost() {
    let server = start();
    let proxy = FaultProxy::to(server.address()).unwrap();
    let mut client = Client::to(&proxy);
    assert_eq!(client.request("INCR count").as_deref(), Some(":1"));
    proxy.reset_after_request();
    assert_eq!(client.request("INCR count"), None);
    // It was executed before the client saw the connection close.
    assert_eq!(server.command(&["GET", "count"]).unwrap(), "2");
    // It happens only once.
    let mut client = Client::to(&proxy);
    assert_eq!(client.request("INCR count").as_deref(), Some(":3"));
    assert_eq!(client.request("INCR count").as_deref(), Some(":4"));
}

#[test]
fn a_long_request_is_executed_whole_before_its_reply_is_lost() {
    let server = start();
    let proxy = FaultProxy::to(server.address()).unwrap();
    let mut client = Client::to(&proxy);
    proxy.reset_after_request();
    let value = "x".repeat(1_000_000);
    client.send(&format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${}\r\n{value}", value.len()));
    assert_eq!(client.receive(), None);
    assert_eq!(server.command(&["STRLEN", "key"]).unwrap(), "1000000");
}

#[test]
fn pipelined_requests_are_all_executed_before_their_replies_are_lost() {
    let server = start();
    let proxy = FaultProxy::to(server.address()).unwrap();
    let mut client = Client::to(&proxy);
    proxy.reset_after_request();
    client.send(&["INCR count"; 100].join("\r\n"));
    assert_eq!(client.receive(), None);
    assert_eq!(server.command(&["GET", "count"]).unwrap(), "100");
}

#[test]
fn a_request_is_executed_even_if_its_client_disconnects() {
    let server = start();
    let proxy = FaultProxy::to(server.address()).unwrap();
    let mut client = Client::to(&proxy);
    proxy.reset_after_request();
    server.freeze().unwrap();
    client.send("INCR count");
    drop(client);
    server.thaw().unwrap();
    let end = Instant::now() + LIMIT;
    while server.command(&["GET", "count"]).unwrap() != "1" {
        assert!(Instant::now() < end, "it was not executed");
        thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn replies_are_delayed() {
    let server = start();
    let proxy = FaultProxy::to(server.address()).unwrap();
    let mut client = Client::to(&proxy);
    let delay = Duration::from_millis(200);
    proxy.delay(delay);
    let requested = Instant::now();
    client.send("INCR count");
    // The request itself is not delayed.
    while server.command(&["GET", "count"]).unwrap() != "1" {
        assert!(requested.elapsed() < LIMIT, "it was not executed");
    }
    assert_eq!(client.receive().as_deref(), Some(":1"));
    assert!(requested.elapsed() >= delay);
    proxy.delay(Duration::ZERO);
    assert_eq!(client.request("INCR count").as_deref(), Some(":2"));
}

#[test]
fn a_wire_is_redirected_to_another_server() {
    let (old, new) = (start(), start());
    let proxy = FaultProxy::to(old.address()).unwrap();
    let mut before = Client::to(&proxy);
    assert_eq!(before.request("SET server old").as_deref(), Some("+OK"));
    proxy.retarget(new.address());
    let mut after = Client::to(&proxy);
    assert_eq!(after.request("SET server new").as_deref(), Some("+OK"));
    assert_eq!(before.request("APPEND server er").as_deref(), Some(":5"));
    assert_eq!(old.command(&["GET", "server"]).unwrap(), "older");
    assert_eq!(new.command(&["GET", "server"]).unwrap(), "new");
}
