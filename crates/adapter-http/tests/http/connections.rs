//! Connections of well-behaved clients work unchanged behind the connection guard.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    ConnectionCounts, Connections, HttpSettings, Lifecycle, RequestTelemetry, Stopper,
    listen_public,
};
use adapter_memory::MemoryWorld;
use async_trait::async_trait;
use decorators::cache::CacheSettings;
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertPage, PageRequest};
use domain::queue::AdmissionPolicy;

use crate::parts::Parts;

/// Maximum time a test waits for a condition.
const LIMIT: Duration = Duration::from_secs(30);

/// A catalog that is slow for pages from the hundredth on.
struct Slow;

const SLOWNESS: Duration = Duration::from_millis(3_200);

#[async_trait]
impl ConcertCatalog for Slow {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        if request.number.get() >= 100 {
            tokio::time::sleep(SLOWNESS).await;
        }
        Ok(ConcertPage { request, concerts: vec![], total: 0 })
    }
}

struct Served {
    address: SocketAddr,
    connections: Connections,
    runtime: tokio::runtime::Runtime,
    stopper: Stopper,
}

impl Served {
    /// The client timeouts are one second, so slow handlers exceed them.
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let inside = runtime.enter();
        let patient =
            CacheSettings { load_limit: Duration::from_secs(9), ..CacheSettings::default() };
        let parts = Parts::of(&MemoryWorld::default(), AdmissionPolicy::default());
        let api = Parts { catalog: Arc::new(Slow), cache: patient, ..parts }.api();
        let settings = HttpSettings {
            workers: 1,
            max_connections: 4,
            keep_alive: Duration::from_secs(1),
            client_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            ..HttpSettings::default()
        };
        let listener =
            listen_public(&settings, api, Lifecycle::default(), RequestTelemetry::default())
                .unwrap();
        let (address, connections, stopper) =
            (listener.address(), listener.connections(), listener.stopper());
        runtime.spawn(listener.run());
        drop(inside);
        Self { address, connections, runtime, stopper }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        BufReader::new(stream)
    }

    fn counts(&self) -> ConnectionCounts {
        self.connections.counts()
    }

    fn ended(&self, reason: &str) -> u64 {
        self.counts().ended.iter().find(|(name, _)| *name == reason).unwrap().1
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.stopper.stop(Duration::ZERO));
    }
}

fn get(page: usize, more: &str) -> String {
    format!("GET /api/v1/concerts/query?page={page} HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

fn send(stream: &mut BufReader<TcpStream>, text: &str) {
    stream.get_mut().write_all(text.as_bytes()).unwrap();
}

/// Reads one response and returns its head in lower case.
fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "closed: {head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
    head
}

fn request_id(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap()
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let served = Served::start();
    let mut stream = served.connect();
    let many: String =
        (1..=300).map(|n| get(n % 9 + 1, &format!("X-Request-Id: n{n}\r\n"))).collect();
    send(&mut stream, &many);
    for n in 1..=300 {
        let head = answer(&mut stream);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(request_id(&head), format!("n{n}"));
    }
}

#[test]
fn bodies_and_heads_are_separated_however_they_are_split() {
    let served = Served::start();
    let join =
        |body: &str| format!("POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nHost: x\r\n{body}");
    let requests = [
        join("Content-Length: 8\r\n\r\n{\r\n\r\n\r\n}"),
        get(1, ""),
        join("Transfer-Encoding: chunked\r\n\r\n8\r\n{\r\n\r\n\r\n}\r\n0\r\n\r\n"),
        get(2, ""),
        join("Content-Length: 4096\r\n\r\n") + &"\n".repeat(4_096),
        join("Content-Length: 0\r\n\r\n"),
        get(3, &format!("x-long: {}\r\n", "y".repeat(16_000))),
        join("Transfer-Encoding: chunked\r\n\r\n") + &"1\r\nx\r\n".repeat(1_000) + "0\r\n\r\n",
        get(4, ""),
    ];
    let all = requests.concat();
    for piece in [1, 7, 1_000, usize::MAX] {
        let mut stream = served.connect();
        stream.get_ref().set_nodelay(true).unwrap();
        let mut writer = stream.get_ref().try_clone().unwrap();
        let bytes = all.clone().into_bytes();
        let writing = std::thread::spawn(move || {
            for piece in bytes.chunks(piece) {
                writer.write_all(piece).unwrap();
            }
        });
        for n in 0..requests.len() {
            let head = answer(&mut stream);
            assert!(head.starts_with("http/1.1 200"), "{n} in pieces of {piece}: {head}");
            assert!(!head.contains("connection: close"), "{n} in pieces of {piece}: {head}");
        }
        writing.join().unwrap();
    }
}

#[test]
fn slow_handlers_close_no_connection_and_shed_none() {
    let served = Served::start();
    let mut waiting: Vec<_> = (0..3).map(|_| served.connect()).collect();
    for (stream, page) in waiting.iter_mut().zip(100..) {
        // The second request is pipelined and waits.
        send(stream, &(get(page, "") + &get(1, "")));
    }
    // More connections than there is room for: each of these displaces another of its kind.
    for _ in 0..20 {
        let mut other = served.connect();
        send(&mut other, &get(1, ""));
        assert!(answer(&mut other).starts_with("http/1.1 200"));
    }
    for stream in &mut waiting {
        assert!(answer(stream).starts_with("http/1.1 200"));
        assert!(answer(stream).starts_with("http/1.1 200"));
    }
}

#[test]
fn an_idle_connection_is_closed_after_its_timeout_and_counted_as_idle() {
    let served = Served::start();
    let mut stream = served.connect();
    send(&mut stream, &get(1, ""));
    answer(&mut stream);
    assert_eq!((served.counts().open, served.counts().limit), (1, 4));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed without another byte");
    let mut silent = served.connect();
    let mut reported = String::new();
    silent.read_to_string(&mut reported).unwrap();
    assert!(reported.starts_with("HTTP/1.1 408"), "{reported}");
    let mut leaves = served.connect();
    send(&mut leaves, &get(1, "Connection: close\r\n"));
    answer(&mut leaves);
    drop(leaves);
    let end = std::time::Instant::now() + LIMIT;
    while served.counts().open > 0 {
        assert!(std::time::Instant::now() < end, "{:?}", served.counts());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert_eq!(
        (served.ended("idle"), served.ended("request_timeout"), served.ended("done")),
        (1, 1, 1)
    );
}

#[test]
fn a_half_closed_connection_is_still_answered() {
    let served = Served::start();
    let mut stream = served.connect();
    send(&mut stream, &(get(100, "") + &get(1, "")));
    stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(answer(&mut stream).starts_with("http/1.1 200"));
    assert!(answer(&mut stream).starts_with("http/1.1 200"));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
