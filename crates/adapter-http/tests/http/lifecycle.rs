//! Black-box tests of the lifecycle of a starting node.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use adapter_http::{Api, HttpSettings, Lifecycle, Phase, RequestTelemetry, listen_public};
use adapter_memory::MemoryWorld;
use domain::queue::AdmissionPolicy;

use crate::parts::Parts;

fn api() -> Api {
    Parts::of(&MemoryWorld::default(), AdmissionPolicy::default()).api()
}

fn settings() -> HttpSettings {
    HttpSettings {
        workers: 1,
        keep_alive: Duration::from_secs(5),
        request_timeout: Duration::from_secs(3),
        ..HttpSettings::default()
    }
}

#[test]
fn a_node_that_answers_requests_reports_that_it_serves() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let lifecycle = Lifecycle::default();
    let listener =
        listen_public(&settings(), api(), lifecycle.clone(), RequestTelemetry::default()).unwrap();
    let stopper = listener.stopper();

    let mut early = TcpStream::connect(listener.address()).unwrap();
    early
        .write_all(b"GET /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    early.set_nonblocking(true).unwrap();
    assert_eq!(
        early.peek(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "accepted by the kernel, not answered"
    );
    assert_eq!(lifecycle.phase(), Phase::Starting);
    early.set_nonblocking(false).unwrap();
    early.set_read_timeout(Some(Duration::from_secs(30))).unwrap();

    let running = listener.run();
    assert_eq!(lifecycle.phase(), Phase::Serving, "before anything can be accepted");
    runtime.spawn(running);
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    runtime.block_on(stopper.stop(Duration::ZERO));
}

#[test]
fn a_node_stopped_before_it_served_stays_draining() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let lifecycle = Lifecycle::default();
    let listener =
        listen_public(&settings(), api(), lifecycle.clone(), RequestTelemetry::default()).unwrap();
    lifecycle.enter(Phase::Draining);
    drop(listener.run());
    assert_eq!(lifecycle.phase(), Phase::Draining);
}
