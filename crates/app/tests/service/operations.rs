//! Health, request ids, and shutdown.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{LIMIT, TestApp, eventually};

#[test]
fn health_is_served_on_the_operations_listener_only() {
    let app = TestApp::start(&[]);
    for (path, status) in [
        ("/livez", "live"),
        ("/startupz", "started"),
        ("/readyz", "ready"),
        ("/readyz/node", "ready"),
    ] {
        let answer = app.ops(path);
        assert_eq!((answer.status, answer.word("status").as_str()), (200, status));
        let public = app.send("GET", &format!("http://{}{path}", app.public), &[], &[]);
        assert_eq!(public.status, 404, "{path} is not public");
        let url = format!("http://{}{path}", app.ops);
        assert_eq!(app.send("HEAD", &url, &[], &[]).status, 200);
        let posted = app.send("POST", &url, &[], &[]);
        assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
    }
}

#[test]
fn a_valid_request_id_is_kept_and_any_other_is_replaced() {
    let app = TestApp::start(&[]);
    let id_for = |given: &str| {
        let answer = app.request("GET", "/concerts/query", &[("x-request-id", given)]);
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(id_for("order-66_a.b"), "order-66_a.b");
    let made = [id_for("two words"), id_for(&"x".repeat(65)), id_for("")];
    assert!(made.iter().all(|id| id.len() == 36), "{made:?}");
    assert_ne!(made[0], made[1]);
}

/// A connection that stays open between requests.
struct KeepAlive {
    reader: BufReader<TcpStream>,
}

impl KeepAlive {
    fn open(app: &TestApp) -> Self {
        Self::over(TcpStream::connect(app.public).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// The head of the response in lower case; the body is discarded.
    fn request(&mut self, path: &str) -> std::io::Result<String> {
        self.reader
            .get_mut()
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        self.reader.read_exact(&mut vec![0; length.unwrap_or(0)])?;
        Ok(head)
    }

    /// Whether the server has closed the connection without sending anything more.
    fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0))
    }
}

#[test]
fn while_draining_readiness_is_false_requests_are_served_and_connections_closed() {
    let mut app = TestApp::start(&["http.drain_delay=2s"]);
    let (mut busy, mut idle) = (KeepAlive::open(&app), KeepAlive::open(&app));
    for connection in [&mut busy, &mut idle] {
        let head = connection.request("/api/v1/concerts/query").unwrap();
        assert!(head.starts_with("http/1.1 200") && !head.contains("connection: close"), "{head}");
    }
    app.request_stop();
    eventually("readiness goes false", || app.ops("/readyz").status == 503);
    assert_eq!(app.ops("/readyz").word("status"), "draining");
    assert_eq!(app.ops("/livez").status, 200, "the process is still alive");
    let head = busy.request("/api/v1/concerts/query").unwrap();
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    assert!(busy.is_closed());
    assert!(idle.is_closed(), "an idle connection is closed, not waited for");
    app.join().unwrap();
    assert!(TcpStream::connect(app.public).is_err(), "the listener is closed");
    assert!(TcpStream::connect(app.ops).is_err());
}

#[test]
fn new_connections_are_refused_while_a_request_is_in_flight() {
    let mut app = TestApp::start(&[]);
    let mut slow = TcpStream::connect(app.public).unwrap();
    let head =
        "POST /api/v1/user/1/queue/token/issue HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    // The response to another request shows that the first one has been read.
    assert_eq!(app.request("GET", "/concerts/query", &[]).status, 200);
    app.request_stop();
    eventually("new connections are refused", || TcpStream::connect(app.public).is_err());
    slow.write_all(b"  }").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "the request in flight is served: {answer}");
    app.join().unwrap();
}

#[test]
fn two_applications_cannot_have_one_address() {
    let app = TestApp::start(&[]);
    let config = crate::support::config_of(&[&format!("http.bind={}", app.public)]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let off = telemetry::Instruments::off();
    let refused = runtime.block_on(async {
        boxoffice::Application::builder(&config)
            .instruments(off)
            .build()
            .await
            .err()
            .unwrap()
            .to_string()
    });
    assert!(
        refused.starts_with(&format!("cannot listen on {} (http.bind): ", app.public)),
        "{refused}"
    );
}

/// The number of requests answered, or the first failure other than a refused connection.
fn hammer(public: std::net::SocketAddr) -> Result<u64, String> {
    let mut answered = 0;
    loop {
        let stream = match TcpStream::connect(public) {
            Ok(stream) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Ok(answered);
            }
            Err(error) => return Err(format!("connecting after {answered}: {error}")),
        };
        let mut connection = KeepAlive::over(stream);
        loop {
            let head = connection.request("/api/v1/concerts/query");
            let head = head.map_err(|error| format!("sending after {answered}: {error}"))?;
            if !head.starts_with("http/1.1 200") {
                return Err(head);
            }
            answered += 1;
            if head.contains("connection: close") {
                break;
            }
        }
    }
}

#[test]
fn stopping_under_load_fails_no_request() {
    let mut app = TestApp::start(&["http.drain_delay=200ms"]);
    let public = app.public;
    let clients: Vec<_> = (0..16).map(|_| std::thread::spawn(move || hammer(public))).collect();
    let started = std::time::Instant::now();
    eventually("the load is on", || started.elapsed() > std::time::Duration::from_millis(300));
    app.request_stop();
    app.join().unwrap();
    for client in clients {
        let answered = client.join().unwrap().unwrap();
        assert!(answered > 0);
    }
}
