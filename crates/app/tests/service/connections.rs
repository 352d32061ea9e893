//! What a connection may cost, tried by clients that mean harm: the program itself, from outside.

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

/// A connection from another address of this machine.
fn connect_from(from: Ipv4Addr, at: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&at.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// One that has sent these bytes.
fn that_sent(at: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = connect(at);
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Everything until the other side closes, and how long that took.
fn read_to_end(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(read.is_ok(), "not closed within {LIMIT:?}, {read:?}: {text}");
    (text, began.elapsed())
}

/// Whether it is served: one request and the status of its answer.
fn asks(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(LIST.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}

fn metrics(serving: &Serving) -> String {
    send(&agent(), "GET", &format!("http://{}/metrics", serving.ops), &[], &[]).text
}

/// The value of the series that begins like this and has this label.
fn metric(serving: &Serving, name: &str, label: &str) -> f64 {
    let text = metrics(serving);
    let line = text.lines().find(|line| line.starts_with(name) && line.contains(label));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} {label}: {text}"))
}

/// Asks again and again, and reads no answer, until nothing more is taken.
fn ask_without_reading(streams: &mut [TcpStream], request: &str) {
    let many = request.repeat(4_096 / request.len());
    for stream in &mut *streams {
        // The client's side is to hold little, so that the node has to.
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
fn asking_without_reading_costs_the_node_little() {
    const CONNECTIONS: usize = 100;
    let serving = Serving::start(&["--set", "http.workers=1"]);
    for page in 1..=20 {
        send(&agent(), "GET", &serving.url(&format!("/concerts/query?page={page}")), &[], &[]);
    }
    for request in ["GET / HTTP/1.1\r\nHost:x\r\n\r\n", LIST] {
        let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect(serving.public)).collect();
        let before = serving.memory();
        ask_without_reading(&mut streams, request);
        let grown = serving.memory().saturating_sub(before) / CONNECTIONS as u64;
        assert!(grown < 64 * 1024, "{grown} bytes a connection");
        assert!(asks(&mut connect(serving.public)).unwrap(), "and others are served");
    }
}

#[test]
fn whoever_reads_no_answer_is_closed() {
    let serving = Serving::start(&["--set", "http.workers=1"]);
    let mut streams: Vec<_> = (0..4).map(|_| connect(serving.public)).collect();
    ask_without_reading(&mut streams, LIST);
    for stream in &mut streams {
        eventually(
            "it is closed",
            || matches!(stream.write(b"G"), Err(error) if error.kind() != ErrorKind::WouldBlock),
        );
    }
    eventually("and counted", || {
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
        let mut stream = that_sent(at, &format!("{request}GET /api/v1/con"));
        let (answers, took) = read_to_end(&mut stream);
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        assert!(answers.contains("HTTP/1.1 408"), "it is told why: {answers}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    for listener in ["public", "operations"] {
        let label = format!("listener=\"{listener}\",status=\"408\"");
        assert_eq!(metric(&serving, "boxoffice_connections_refused_total", &label), 1.0);
    }
}

#[test]
fn a_head_that_drips_is_closed_whichever_it_is() {
    let serving = Serving::start(&["--set", "http.workers=1", "--set", "http.client_timeout=1s"]);
    for first in ["", LIST] {
        let mut stream =
            that_sent(serving.public, &format!("{first}GET /api/v1/concerts/query HTTP/1.1\r\n"));
        stream.set_nonblocking(true).unwrap();
        eventually("it is closed", || {
            // A byte every five milliseconds is progress, and never the end of a head.
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
            let mut stream = that_sent(at, &format!("{head}{body}"));
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
fn a_newcomer_gets_in_where_all_places_are_taken_by_the_idle() {
    let settings = ["--set", "http.workers=1", "--set", "http.max_connections=32"];
    let serving = Serving::start(&settings);
    let mut idle: Vec<_> = (0..32).map(|_| connect(serving.public)).collect();
    for stream in &mut idle {
        assert!(asks(stream).unwrap());
    }
    for _ in 0..50 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(asks(&mut newcomer).unwrap());
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
fn a_newcomer_gets_in_where_all_places_are_taken_by_those_who_do_not_read() {
    let settings = ["http.workers=1", "http.max_connections=8", "http.answer_timeout=1h"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let mut streams: Vec<_> = (0..8).map(|_| connect(serving.public)).collect();
    ask_without_reading(&mut streams, LIST);
    let mut newcomers = Vec::new();
    for _ in 0..12 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(asks(&mut newcomer).unwrap());
        newcomers.push(newcomer);
    }
}

#[test]
fn a_newcomer_gets_in_where_all_places_are_taken_by_bodies_that_do_not_come() {
    let settings = ["http.workers=1", "http.max_connections=8", "http.client_timeout=30s"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let half =
        "POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    let _halves: Vec<_> = (0..8).map(|_| that_sent(serving.public, half)).collect();
    let mut newcomers = Vec::new();
    for _ in 0..4 {
        let mut newcomer = connect(serving.public);
        newcomer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(asks(&mut newcomer).unwrap());
        newcomers.push(newcomer);
    }
}

#[test]
fn silent_connections_leave_operations_their_liveness() {
    let serving = Serving::start(&["--set", "http.workers=1"]);
    let _silent: Vec<_> =
        (0..300).map(|_| that_sent(serving.ops, &format!("{LIVE}GET /"))).collect();
    let _idle: Vec<_> = (0..300).map(|_| connect(serving.ops)).collect();
    for _ in 0..20 {
        let mut probe = that_sent(serving.ops, LIVE);
        probe.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut status = [0; 12];
        probe.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}

#[test]
fn an_address_has_so_many_connections_and_others_have_theirs() {
    let settings = ["http.workers=2", "http.proxies=", "http.max_connections_per_address=5"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let serving = Serving::start(&settings);
    let (one, other) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let mut open: Vec<_> = (0..5).map(|_| connect_from(one, serving.public)).collect();
    for stream in &mut open {
        assert!(asks(stream).unwrap());
    }
    for _ in 0..5 {
        assert!(
            !asks(&mut connect_from(one, serving.public)).unwrap_or(false),
            "one more is closed"
        );
        assert!(asks(&mut connect_from(other, serving.public)).unwrap());
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
    eventually("one that closes makes room", || {
        asks(&mut connect_from(one, serving.public)).unwrap_or(false)
    });
}

#[test]
fn a_proxy_has_any_number_of_connections() {
    let serving = Serving::start(&["--set", "http.max_connections_per_address=5"]);
    let mut open: Vec<_> = (0..50).map(|_| connect(serving.public)).collect();
    for stream in &mut open {
        assert!(asks(stream).unwrap());
    }
}

#[test]
fn what_is_no_http_is_counted_and_is_no_error_of_ours() {
    let settings = ["--set", "http.workers=1", "--set", "http.client_timeout=1s"];
    let mut serving = Serving::start(&settings);
    for _ in 0..30 {
        let (answer, _) = read_to_end(&mut that_sent(serving.public, "GARBAGE\r\n\r\n"));
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
    // Closed by the worker, which has then looked around and told.
    read_to_end(&mut that_sent(serving.public, &format!("{LIST}GET /")));
    serving.signal("-TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    let lines = log.lines().filter(|line| line.contains("refused what is no HTTP")).count();
    assert!((1..=4).contains(&lines), "a line now and then: {log}");
}

#[test]
fn an_address_that_sends_garbage_is_left_alone_for_a_while() {
    let serving = Serving::start(&["--set", "http.workers=1", "--set", "http.proxies="]);
    let garbage = || {
        let mut stream = connect_from(Ipv4Addr::LOCALHOST, serving.public);
        let _ = stream.write_all(b"GARBAGE\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 400")
    };
    let answered = (0..80).filter(|_| garbage()).count();
    assert_eq!(answered, 50);
    assert!(asks(&mut connect_from(Ipv4Addr::new(127, 0, 0, 2), serving.public)).unwrap());
    eventually("and then it may come again", || {
        asks(&mut connect_from(Ipv4Addr::LOCALHOST, serving.public)).unwrap_or(false)
    });
}
