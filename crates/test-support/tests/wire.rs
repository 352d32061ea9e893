//! Wires that are slow, that follow a failover, and that lose a reply.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use test_support::{Redis, RedisBinaries, RedisSetup, Wire};

const LIMIT: Duration = Duration::from_secs(30);

fn start() -> Redis {
    Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap()
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn to(wire: &Wire) -> Self {
        let stream = TcpStream::connect(wire.address()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, words: &str) {
        self.0.get_mut().write_all(format!("{words}\r\n").as_bytes()).unwrap();
    }

    /// A line; `None` at the end of the connection.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        // An end can be told as an error too.
        let read = self.0.read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim().to_owned())
    }

    fn ask(&mut self, words: &str) -> Option<String> {
        self.say(words);
        self.hear()
    }
}

#[test]
fn a_request_is_executed_and_its_reply_is_lost() {
    let server = start();
    let wire = Wire::to(server.address()).unwrap();
    let mut client = Client::to(&wire);
    assert_eq!(client.ask("INCR count").as_deref(), Some(":1"));
    wire.reset_after_request();
    assert_eq!(client.ask("INCR count"), None);
    // It had been executed when the client learned of its loss.
    assert_eq!(server.command(&["GET", "count"]).unwrap(), "2");
    // Once, and then no more.
    let mut client = Client::to(&wire);
    assert_eq!(client.ask("INCR count").as_deref(), Some(":3"));
    assert_eq!(client.ask("INCR count").as_deref(), Some(":4"));
}

#[test]
fn a_long_request_is_executed_whole_before_its_reply_is_lost() {
    let server = start();
    let wire = Wire::to(server.address()).unwrap();
    let mut client = Client::to(&wire);
    wire.reset_after_request();
    let value = "x".repeat(1_000_000);
    client.say(&format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${}\r\n{value}", value.len()));
    assert_eq!(client.hear(), None);
    assert_eq!(server.command(&["STRLEN", "key"]).unwrap(), "1000000");
}

#[test]
fn all_requests_said_at_once_are_executed_before_the_replies_are_lost() {
    let server = start();
    let wire = Wire::to(server.address()).unwrap();
    let mut client = Client::to(&wire);
    wire.reset_after_request();
    client.say(&["INCR count"; 100].join("\r\n"));
    assert_eq!(client.hear(), None);
    assert_eq!(server.command(&["GET", "count"]).unwrap(), "100");
}

#[test]
fn a_client_that_goes_away_is_no_reason_not_to_execute_its_request() {
    let server = start();
    let wire = Wire::to(server.address()).unwrap();
    let mut client = Client::to(&wire);
    wire.reset_after_request();
    server.freeze().unwrap();
    client.say("INCR count");
    drop(client);
    server.thaw().unwrap();
    let end = Instant::now() + LIMIT;
    while server.command(&["GET", "count"]).unwrap() != "1" {
        assert!(Instant::now() < end, "it was not executed");
        thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn what_the_server_says_is_held() {
    let server = start();
    let wire = Wire::to(server.address()).unwrap();
    let mut client = Client::to(&wire);
    let delay = Duration::from_millis(200);
    wire.delay(delay);
    let asked = Instant::now();
    client.say("INCR count");
    // The request itself is not held.
    while server.command(&["GET", "count"]).unwrap() != "1" {
        assert!(asked.elapsed() < LIMIT, "it was not executed");
    }
    assert_eq!(client.hear().as_deref(), Some(":1"));
    assert!(asked.elapsed() >= delay);
    wire.delay(Duration::ZERO);
    assert_eq!(client.ask("INCR count").as_deref(), Some(":2"));
}

#[test]
fn a_wire_is_led_to_another_server() {
    let (old, new) = (start(), start());
    let wire = Wire::to(old.address()).unwrap();
    let mut before = Client::to(&wire);
    assert_eq!(before.ask("SET server old").as_deref(), Some("+OK"));
    wire.retarget(new.address());
    let mut after = Client::to(&wire);
    assert_eq!(after.ask("SET server new").as_deref(), Some("+OK"));
    assert_eq!(before.ask("APPEND server er").as_deref(), Some(":5"));
    assert_eq!(old.command(&["GET", "server"]).unwrap(), "older");
    assert_eq!(new.command(&["GET", "server"]).unwrap(), "new");
}
