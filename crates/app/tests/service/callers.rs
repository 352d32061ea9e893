//! Clients that are slow, disconnect early, or do not speak HTTP: none of this is a server error.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::program::Serving;
use crate::support::{Answer, LIMIT, TestApp, agent, eventually, send};
use crate::telemetry::scrape::Scrape;

const JOIN: &str = "POST /api/v1/user/1/queue/token/issue HTTP/1.1\r\nHost: x\r\n";

fn connect(to: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// The response up to the end of a problem or of the connection.
fn answer(mut stream: &TcpStream) -> String {
    let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
    while !answer.ends_with(b"}") {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8(answer).unwrap()
}

fn ops(serving: &Serving, path: &str) -> Answer {
    send(&agent(), "GET", &format!("http://{}{path}", serving.ops), &[], &[])
}

fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

#[test]
fn slow_and_disconnecting_clients_cause_no_server_errors() {
    let mut serving =
        Serving::start(&["--set", "http.client_timeout=1s", "--set", "http.workers=1"]);
    let at = serving.public;
    let announced = format!("{JOIN}Content-Length: 10\r\n\r\nab");
    let chunked = format!("{JOIN}Transfer-Encoding: chunked\r\n\r\n");

    // All at once, because each takes its time.
    let slow = [connect(at, &announced), connect(at, &format!("{chunked}5\r\nab"))];
    let silent = connect(at, "GET /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\n");
    let broken_off = connect(at, &announced);
    broken_off.shutdown(Shutdown::Write).unwrap();
    let no_chunk = connect(at, &format!("{chunked}zz\r\nhello\r\n0\r\n\r\n"));
    let no_http = connect(at, "GARBAGE\r\n\r\n");
    for gone in [announced.as_str(), &chunked, JOIN] {
        drop(connect(at, gone));
    }
    for stream in &slow {
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"BODY_TIMED_OUT\""), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    for (stream, status, code) in [
        (&silent, 408, ""),
        (&broken_off, 400, "BODY_UNREADABLE"),
        (&no_chunk, 400, "BODY_UNREADABLE"),
    ] {
        let answer = answer(stream);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code),
            "{answer}"
        );
    }
    assert!(answer(&no_http).starts_with("HTTP/1.1 400 "));
    // The rest of the body arrives late, and another client joins.
    let _ = (&slow[1]).write_all(b"cde\r\nzz\r\n");
    drop(slow);
    let join = format!("http://{at}/api/v1/user/1/queue/token/issue");
    assert_eq!(send(&agent(), "POST", &join, &[], &[]).status, 200);

    let requests = "http_server_request_duration_seconds_count";
    let scrape = || Scrape(ops(&serving, "/metrics").text);
    let timed_out = [("error_type", "BODY_TIMED_OUT"), ("http_response_status_code", "408")];
    eventually("both are counted", || scrape().get(requests, &timed_out) == Some(2.0));
    let scrape = scrape();
    for status in ["500", "503"] {
        assert_eq!(
            scrape.get(requests, &[("http_response_status_code", status)]),
            None,
            "{}",
            scrape.0
        );
    }
    assert_eq!(scrape.get("boxoffice_log_events_total", &[("level", "error")]).unwrap_or(0.0), 0.0);
    assert_eq!(ops(&serving, "/failures").number("total"), 0);
    serving.signal("-TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    let (_, since) = log.split_once("\"message\":\"listening\"").unwrap();
    assert!(!since.contains("\"WARN\"") && !since.contains("\"ERROR\""), "{since}");
}

#[test]
fn a_slow_body_counts_neither_towards_the_timeout_nor_the_duration() {
    // One second for the request, and the limits that must fit into it.
    let app = TestApp::start(&[
        "http.request_timeout=1s",
        "cache.lease_wait=100ms",
        "cache.concerts.load_limit=300ms",
        "cache.dates.load_limit=300ms",
        "limits.concerts.timeout=200ms",
        "limits.concerts.wait=50ms",
        "limits.dates.wait=50ms",
        "limits.dates.timeout=200ms",
        "limits.cache.timeout=50ms",
    ]);
    let mut stream =
        connect(app.public, &format!("{JOIN}Connection: close\r\nContent-Length: 2\r\n\r\n"));
    pause(Duration::from_millis(1_300));
    stream.write_all(b"{}").unwrap();
    let answer = answer(&stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let scrape = Scrape(app.ops("/metrics").text);
    let joins = ("http_route", "/api/v1/user/{userId}/queue/token/issue");
    let quick = scrape.is("http_server_request_duration_seconds_bucket", &[joins, ("le", "0.5")]);
    assert_eq!(quick, 1.0, "{}", scrape.0);
}

#[test]
fn a_connection_with_an_incomplete_body_is_closed() {
    let app = TestApp::start(&["http.client_timeout=1s"]);
    let chunked = format!("{JOIN}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("800\r\n{}\r\n", "x".repeat(0x800));
    let large = format!("{JOIN}x: {}\r\nTransfer-Encoding: chunked\r\n\r\n", "y".repeat(17_000));
    let cases = [
        (format!("{chunked}5\r\nab"), 408),
        (format!("{JOIN}Content-Length: 10\r\n\r\nab"), 408),
        // An endless body.
        (format!("{chunked}{}", chunk.repeat(3)), 413),
        (format!("{JOIN}Content-Length: 5000\r\n\r\nab"), 413),
        (format!("{large}5\r\nab"), 431),
    ];
    let streams = cases.map(|(request, status)| (connect(app.public, &request), status));
    for (stream, status) in streams {
        assert_eq!(only_status(stream), status);
    }
}

#[test]
fn a_connection_with_an_incomplete_rate_limited_body_is_closed() {
    let app = TestApp::start(&[
        "http.client_timeout=1s",
        "overload.per_address.per_second=1",
        "overload.per_address.burst=1",
    ]);
    let request = format!("{JOIN}Transfer-Encoding: chunked\r\n\r\n5\r\nab");
    let all = [(); 3].map(|()| connect(app.public, &request)).map(only_status);
    assert!(all.contains(&429), "{all:?}");
}

/// The status of the only response before the connection closes.
fn only_status(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    answer[9..12].parse().unwrap()
}
