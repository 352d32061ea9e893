//! `boxoffice health`

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::program::{Serving, boxoffice, text};
use crate::support::{LIMIT, eventually};

fn health(ops: SocketAddr, flags: &[&str]) -> Output {
    let ops = ops.to_string();
    boxoffice(&[&["health", "--ops", &ops][..], flags].concat(), &[])
}

fn assert_fails(output: &Output, expected: &str) {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{output:?}");
    assert!(said.starts_with("boxoffice: ") && said.contains(expected), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_node_is_healthy_until_it_drains() {
    let mut node = Serving::start(&["--set", "http.drain_delay=10s"]);
    for (flags, expected) in [(&[][..], "ready\n"), (&["--live"], "live\n")] {
        let output = health(node.ops, flags);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), expected));
        assert!(output.stderr.is_empty());
    }
    node.signal("-TERM");
    eventually("it drains", || !health(node.ops, &[]).status.success());
    assert_fails(&health(node.ops, &[]), "draining");
    let live = health(node.ops, &["--live"]);
    assert_eq!(live.status.code(), Some(0), "it is not killed while it drains: {live:?}");
    node.signal("-TERM");
    node.end();
}

#[test]
fn a_node_without_its_store_is_healthy_and_says_what_it_is_without() {
    let node = Serving::start(&[
        "--set",
        "queue.store=redis",
        "--set",
        "redis.queue.url=redis://127.0.0.1:1",
        "--set",
        "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
    ]);
    eventually("the outage is noticed", || {
        let output = health(node.ops, &[]);
        assert_eq!(output.status.code(), Some(0), "a restart would not help: {output:?}");
        text(&output.stdout) == "degraded, without redis\n"
    });
}

/// The configuration of the container is that of the service, so no address is repeated.
#[test]
fn a_node_on_all_addresses_is_found_by_its_configuration() {
    let node = Serving::start(&[]);
    let bind = format!("0.0.0.0:{}", node.ops.port());
    let output = boxoffice(&["health"], &[("BOXOFFICE__OPS__BIND", &bind)]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "ready\n"), "{output:?}");
}

#[test]
fn what_does_not_answer_is_not_healthy() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    assert_fails(&health(address, &[]), "refused");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let output = health(silent.local_addr().unwrap(), &["--timeout", "200ms"]);
    assert_fails(&output, "timeout");
    assert!(began.elapsed() < LIMIT && began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn another_server_at_the_address_is_not_healthy() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut client, _) = other.accept().unwrap();
        let _ = client.read(&mut [0; 1024]).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    });
    assert_fails(&health(address, &[]), "is not a node's health");
    server.join().unwrap();
}
