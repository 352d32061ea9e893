//! How much a connection of a malicious client can cost the program.

mod behind;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::program::Serving;
use crate::support::{LIMIT, agent, eventually, send};

const LIST: &str = "GET /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\n\r\n";
const LIVE: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A connection from another local address.
fn connect_from(from: Ipv4Addr, at: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&at.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Connects and sends these bytes.
fn connect_and_send(at: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = connect(at);
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Everything until the server closes, and how long that took.
fn read_to_end(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(read.is_ok(), "not closed within {LIMIT:?}, {read:?}: {text}");
    (text, began.elapsed())
}

/// Whether a request on this connection is answered with 200.
fn is_served(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(LIST.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}

fn metrics(serving: &Serving) -> String {
    send(&agent(), "GET", &format!("http://{}/metrics", serving.ops), &[], &[]).text
}

/// The value of the series with this prefix and this label.
fn metric(serving: &Serving, name: &str, label: &str) -> f64 {
    let text = metrics(serving);
    let line = text.lines().find(|line| line.starts_with(name) && line.contains(label));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} {label}: {text}"))
}

/// Sends requests without reading a response until writes block.
fn send_without_reading(streams: &mut [TcpStream], request: &str) {
    let many = request.repeat(4_096 / request.len());
    for stream in &mut *streams {
        // A small receive buffer on the client's side, so that the responses pile up in the node.
        SockRef::from(&*stream).set_recv_buffer_size(4_096).unwrap();
        stream.set_nonblocking(true).unwrap();
    }
    let (mut idle, end) = (0, Instant::now() + LIMIT);
    while idle < 100 && Instant::now() < end {
        let write = |stream: &mut TcpStream| stream.write(many.as_bytes()).unwrap_or(0);
        let written: usize = streams.iter_mut().map(write).sum();
        idle = if written == 0 { idle + 1 } else { 0 };
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn requests_without_reading_use_little_memory() {
    const CONNECTIONS: usize = 100;
    let serving = Serving::start(&["--set", "http.workers=1"]);
    for page in 1..=20 {
        send(&agent(), "GET", &serving.url(&format!("/concerts/query?page={page}")), &[], &[]);
    }
    for request in ["GET / HTTP/1.1\r\nHost:x\r\n\r\n", LIST] {
        let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect(serving.public)).collect();
        let before = serving.memory();
        send_without_reading(&mut streams, request);
        let grown = serving.memory().saturating_sub(before) / CONNECTIONS as u64;
        assert!(grown < 64 * 1024, "{grown} bytes a connection");
        assert!(is_served(&mut connect(serving.public)).unwrap(), "other clients are served");
    }
}

#[test]
fn a_client_that_reads_no_response_is_closed() {
    let serving = Serving::start(&["--set", "http.workers=1"]);
    let mut streams: Vec<_> = (0..4).map(|_| connect(serving.public)).collect();
    send_without_reading(&mut streams, LIST);
    for stream in &mut streams {
        eventually(
            "it is closed",
            || matches!(stream.write(b"G"), Err(error) if error.kind() != ErrorKind::WouldBlock),
        );
    }
    eventually("it is counted", || {
        metric(
            &serving,
            "boxoffice_connections_ended_total",
            "listener=\"public\",reason=\"answer_timeout\"",
        ) >= 4.0
    });
}

#[test]
fn a_second_request_that_goes_silent_is_closed() {
    let serving = Serving::start(&["--set", "http.workers=1", "--set", "http.client_timeout=1s"]);
    for (at, request) in [(serving.public, LIST), (serving.ops, LIVE)] {
        let mut stream = connect_and_send(at, &format!("{request}GET /api/v1/con"));
        let (answers, took) = read_to_end(&mut stream);
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        assert!(answers.contains("HTTP/1.1 408"), "the response has the reason: {answers}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    for listener in ["public", "operations"] {
        let label = format!("listener=\"{listener}\",status=\"408\"");
        assert_eq!(metric(&serving, "boxoffice_connections_refused_total", &label), 1.0);
    }
}

#[test]
fn a_dripping_head_is_closed_on_the_first_and_on_later_requests() {
    let serving = Serving::start(&["--set", "http.workers=1", "--set", "http.client_timeout=1s"]);
    for first in ["", LIST] {
        let mut stream = connect_and_send(
            serving.public,
            &format!("{first}GET /api/v1/concerts/query HTTP/1.1\r\n"),
        );
        stream.set_nonblocking(true).unwrap();
        eventually("it is closed", || {
            // A byte every five milliseconds is progress that never completes a head.
            let _ = stream.write(b"x");
            match stream.read(&mut [0; 4_096]) {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            }
        });
    }
}

#[test]
fn a_body_that_stops_is_answered_and_closed() {
    let settings = ["http.workers=1", "http.client_timeout=1s", "http.request_timeout=4s"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let join = "POST /api/v1/user/1/queue/token/issue HTTP/1.1\r\nHost: x\r\n";
    let live = "GET /livez HTTP/1.1\r\nHost: x\r\n";
    for (at, head) in [(serving.public, join), (serving.ops, live)] {
        for body in [
            "Content-Length: 9\r\n\r\n{",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n9\r\n{",
        ] {
            let mut stream = connect_and_send(at, &format!("{head}{body}"));
            let (answer, took) = read_to_end(&mut stream);
            assert!(
                answer.starts_with("HTTP/1.1 408") || answer.starts_with("HTTP/1.1 503"),
                "{answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "one answer: {answer}");
            assert!(took < Duration::from_secs(15), "{took:?}");
        }
    }
}

#[test]
fn a_new_connection_replaces_an_idle_one_at_the_limit() {
    let settings = ["--set", "http.workers=1", "--set", "http.max_connections=32"];
    let serving = Serving::start(&settings);
    let mut idle: Vec<_> = (0..32).map(|_| connect(serving.public)).collect();
    for stream in &mut idle {
        assert!(is_served(stream).unwrap());
    }
    for _ in 0..50 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(is_served(&mut newcomer).unwrap());
        idle.push(newcomer);
    }
    assert_eq!(metric(&serving, "boxoffice_connections_limit", "listener=\"public\""), 32.0);
    assert!(metric(&serving, "boxoffice_connections_open", "listener=\"public\"") <= 32.0);
    let shed = metric(
        &serving,
        "boxoffice_connections_ended_total",
        "listener=\"public\",reason=\"shed\"",
    );
    assert!((50.0..100.0).contains(&shed), "{shed}");
}

#[test]
fn a_new_connection_replaces_one_that_does_not_read_at_the_limit() {
    let settings = ["http.workers=1", "http.max_connections=8", "http.answer_timeout=1h"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let mut streams: Vec<_> = (0..8).map(|_| connect(serving.public)).collect();
    send_without_reading(&mut streams, LIST);
    let mut newcomers = Vec::new();
    for _ in 0..12 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(is_served(&mut newcomer).unwrap());
        newcomers.push(newcomer);
    }
}

#[test]
fn a_new_connection_replaces_one_with_an_incomplete_body_at_the_limit() {
    let settings = ["http.workers=1", "http.max_connections=8", "http.client_timeout=30s"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let half =
        "POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    let _halves: Vec<_> = (0..8).map(|_| connect_and_send(serving.public, half)).collect();
    let mut newcomers = Vec::new();
    for _ in 0..4 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(is_served(&mut newcomer).unwrap());
        newcomers.push(newcomer);
    }
}

#[test]
fn silent_connections_do_not_block_liveness() {
    let serving = Serving::start(&["--set", "http.workers=1"]);
    let _silent: Vec<_> =
        (0..300).map(|_| connect_and_send(serving.ops, &format!("{LIVE}GET /"))).collect();
    let _idle: Vec<_> = (0..300).map(|_| connect(serving.ops)).collect();
    for _ in 0..20 {
        let mut probe = connect_and_send(serving.ops, LIVE);
        probe.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut status = [0; 12];
        probe.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}

#[test]
fn connections_are_limited_per_address() {
    let settings = ["http.workers=2", "http.proxies=", "http.max_connections_per_address=5"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let (one, other) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let mut open: Vec<_> = (0..5).map(|_| connect_from(one, serving.public)).collect();
    for stream in &mut open {
        assert!(is_served(stream).unwrap());
    }
    for _ in 0..5 {
        assert!(
            !is_served(&mut connect_from(one, serving.public)).unwrap_or(false),
            "one more is closed"
        );
        assert!(is_served(&mut connect_from(other, serving.public)).unwrap());
    }
    assert_eq!(
        metric(
            &serving,
            "boxoffice_connections_ended_total",
            "listener=\"public\",reason=\"address\""
        ),
        5.0
    );
    open.pop();
    eventually("a closed connection makes room", || {
        is_served(&mut connect_from(one, serving.public)).unwrap_or(false)
    });
}

#[test]
fn a_proxy_is_exempt_from_the_limit_per_address() {
    let serving = Serving::start(&["--set", "http.max_connections_per_address=5"]);
    let mut open: Vec<_> = (0..50).map(|_| connect(serving.public)).collect();
    for stream in &mut open {
        assert!(is_served(stream).unwrap());
    }
}

#[test]
fn non_http_input_is_counted_and_is_not_a_server_error() {
    let settings = ["--set", "http.workers=1", "--set", "http.client_timeout=1s"];
    let mut serving = Serving::start(&settings);
    for _ in 0..30 {
        let (answer, _) = read_to_end(&mut connect_and_send(serving.public, "GARBAGE\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let label = "listener=\"public\",status=\"400\"";
    assert_eq!(metric(&serving, "boxoffice_connections_refused_total", label), 30.0);
    assert_eq!(
        metric(
            &serving,
            "boxoffice_connections_ended_total",
            "listener=\"public\",reason=\"malformed\""
        ),
        30.0
    );
    assert_eq!(metric(&serving, "boxoffice_log_events_total", "level=\"error\""), 0.0);
    // The worker has closed this connection, so it has also counted and logged the others.
    read_to_end(&mut connect_and_send(serving.public, &format!("{LIST}GET /")));
    serving.signal("-TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    let lines = log.lines().filter(|line| line.contains("refused malformed or late")).count();
    assert!((1..=4).contains(&lines), "the log lines are rate-limited: {log}");
}

#[test]
fn an_address_that_sends_garbage_is_blocked_for_a_while() {
    let serving = Serving::start(&["--set", "http.workers=1", "--set", "http.proxies="]);
    let garbage = || {
        let mut stream = connect_from(Ipv4Addr::LOCALHOST, serving.public);
        let _ = stream.write_all(b"GARBAGE\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 400")
    };
    let answered = (0..80).filter(|_| garbage()).count();
    assert_eq!(answered, 50);
    assert!(is_served(&mut connect_from(Ipv4Addr::new(127, 0, 0, 2), serving.public)).unwrap());
    eventually("its connections are accepted again", || {
        is_served(&mut connect_from(Ipv4Addr::LOCALHOST, serving.public)).unwrap_or(false)
    });
}
