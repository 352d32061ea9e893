//! The program under low limits on file descriptors.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::program::{Serving, boxoffice_limited, text};
use crate::support::{LIMIT, agent, eventually, send};

/// The status of a response on a separate connection.
fn status(at: SocketAddr, path: &str) -> u16 {
    send(&agent(), "GET", &format!("http://{at}{path}"), &[], &[]).status
}

/// Connections that send no request. They also use descriptors of the test process.
fn idle(at: SocketAddr, count: usize) -> Vec<TcpStream> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    (0..count).map(|_| TcpStream::connect(at).unwrap()).collect()
}

fn metric(serving: &Serving, name: &str) -> f64 {
    let metrics = send(&agent(), "GET", &format!("http://{}/metrics", serving.ops), &[], &[]).text;
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

const OPEN: &str = "process_unix_file_descriptor_count";
const MAX: &str = "boxoffice_process_file_descriptor_limit";

#[test]
fn idle_connections_take_nothing_from_operations() {
    // Both limits, so that the program cannot raise its own.
    let mut serving = Serving::limited("ulimit -n 256", &["--set", "http.workers=2"]);
    let idle = idle(serving.public, 400);
    eventually("the public listener has reached its limit", || metric(&serving, OPEN) > 200.0);
    for _ in 0..14 {
        assert_eq!(status(serving.ops, "/livez"), 200);
        assert_eq!(status(serving.ops, "/readyz"), 200);
    }
    assert!(metric(&serving, OPEN) < 256.0, "some descriptors are free");
    drop(idle);
    eventually("users are served again", || {
        let mut stream = TcpStream::connect(serving.public).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
            .write_all(
                b"GET /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            )
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    });
    serving.signal("-TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("few file descriptors") && !log.contains("ERROR"), "{log}");
}

#[test]
fn idle_users_leave_operations_their_descriptors() {
    for limit in ["ulimit -n 256", "ulimit -Sn 256"] {
        for workers in ["http.workers=1", "http.workers=2"] {
            let serving = Serving::limited(limit, &["--set", workers]);
            let mut idle = idle(serving.public, 155);
            for stream in &mut idle {
                stream
                    .write_all(b"GET /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\n\r\n")
                    .unwrap();
            }
            for _ in 0..20 {
                assert_eq!(status(serving.ops, "/livez"), 200, "{limit} {workers}");
                assert_eq!(
                    status(serving.public, "/api/v1/concerts/query"),
                    200,
                    "{limit} {workers}"
                );
            }
        }
    }
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let mut serving =
        Serving::limited("ulimit -Sn 256 && ulimit -Hn 1000", &["--set", "http.workers=1"]);
    assert_eq!(metric(&serving, MAX), 1_000.0);
    let _idle = idle(serving.public, 400);
    assert_eq!(status(serving.public, "/api/v1/concerts/query"), 200, "the 401st is served");
    assert_eq!(status(serving.ops, "/readyz"), 200);
    serving.signal("-TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn an_insufficient_limit_is_refused_in_one_line() {
    for (limit, settings, named) in [
        (
            "ulimit -n 128",
            vec!["http.workers=64"],
            ["is 128, and 376 are needed", "64 workers (http.workers)"],
        ),
        (
            "ulimit -n 1000",
            vec!["http.workers=1", "http.max_connections=2000"],
            ["is 1000, and 2060 are needed", "2000 for public connections (http.max_connections"],
        ),
        ("ulimit -n 20", vec!["http.workers=1"], ["is 20, and 92 are needed", "ulimit -Hn"]),
    ] {
        let mut words = vec!["--set", "http.bind=127.0.0.1:0", "--set", "ops.bind=127.0.0.1:0"];
        words.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let output = boxoffice_limited(limit, &words);
        let reported = text(&output.stderr);
        assert_eq!((output.status.code(), reported.lines().count()), (Some(1), 1), "{reported}");
        assert!(reported.starts_with("boxoffice: too few file descriptors"), "{reported}");
        assert!(named.iter().all(|part| reported.contains(part)), "{reported}");
    }
}
