//! Whatever the collector or the reader of the log does, no request waits for it and every item is
//! accounted for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use telemetry::metrics::Scrape;
use telemetry::{
    Instruments, LogFormat, Otlp, Protocol, RequestSpans, Sampling, Settings, Telemetry,
};
use test_support::otlp::Collector;
use tracing::Dispatch;
use tracing::dispatcher::with_default;

/// Maximum time a test waits for an expected result.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than the queue holds.
const REQUESTS: u64 = 100_000;

fn settings(endpoint: String, timeout: Duration) -> Settings {
    let otlp = Otlp {
        endpoint,
        protocol: Protocol::HttpProtobuf,
        timeout,
        headers: Vec::new(),
        metrics_every: Duration::from_secs(3_600),
        queue: 2_048,
        metrics: false,
        traces: true,
        logs: true,
    };
    Settings {
        log_filter: "info".to_owned(),
        log_format: LogFormat::Json,
        metrics: true,
        traces: Sampling { share: 1.0, trust_callers: false },
        resource: Vec::new(),
        otlp: Some(otlp),
    }
}

/// Telemetry isolated from that of other tests.
fn start(endpoint: String, timeout: Duration) -> (Telemetry, Instruments, Dispatch) {
    let (telemetry, dispatch) =
        Telemetry::prepare(&settings(endpoint, timeout), io::sink()).unwrap();
    let instruments = telemetry.instruments();
    (telemetry, instruments, dispatch)
}

/// Runs this many requests, each with a span and a log event.
fn requests(spans: &RequestSpans, count: u64) {
    for id in 1..=count {
        let (span, _) = spans.begin(u128::from(id), None, "GET", None);
        span.in_scope(|| tracing::info!("a request was answered"));
        spans.finish(&span, 200, None);
    }
}

/// The counts of a signal.
#[derive(Debug, Eq, PartialEq)]
struct Accounts {
    full: u64,
    failed: u64,
    exported: u64,
}

fn accounts(scrape: &Scrape, signal: &str) -> Accounts {
    let text = scrape.text().unwrap();
    let value = |name: &str, reason: &str| {
        let is_it = |line: &&str| {
            line.starts_with(name)
                && line.contains(&format!("signal=\"{signal}\""))
                && (reason.is_empty() || line.contains(&format!("reason=\"{reason}\"")))
        };
        let value = text.lines().find(is_it).and_then(|line| line.rsplit(' ').next());
        value.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default() as u64
    };
    Accounts {
        full: value("boxoffice_telemetry_dropped_total", "queue_full"),
        failed: value("boxoffice_telemetry_dropped_total", "export_failed"),
        exported: value("boxoffice_telemetry_exported_total", ""),
    }
}

/// Polls until every item of both signals is accounted for; returns the counts of spans.
fn settled(instruments: &Instruments, items: u64) -> Accounts {
    let scrape = instruments.scrape.as_ref().unwrap();
    let began = Instant::now();
    let all = |of: &Accounts| of.full + of.failed + of.exported == items;
    loop {
        let (spans, logs) = (accounts(scrape, "spans"), accounts(scrape, "logs"));
        if all(&spans) && all(&logs) {
            return spans;
        }
        assert!(began.elapsed() < PATIENCE, "{spans:?} {logs:?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_hanging_collector_delays_no_request() {
    let collector = Collector::hanging().unwrap();
    let (_telemetry, instruments, dispatch) =
        start(collector.endpoint(), Duration::from_millis(200));
    // Completes although the collector never answers.
    with_default(&dispatch, || requests(&instruments.spans, REQUESTS));
    let spans = settled(&instruments, REQUESTS);
    assert_eq!(spans.exported, 0);
    assert!(spans.full > 0 && spans.failed > 0, "{spans:?}");
}

#[test]
fn a_failing_collector_gets_one_request_per_export() {
    let collector = Collector::failing().unwrap();
    let (_telemetry, instruments, dispatch) = start(collector.endpoint(), PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 100));
    assert_eq!(settled(&instruments, 100), Accounts { full: 0, failed: 100, exported: 0 });
    assert!(collector.requests() <= 2 * 100, "{} requests", collector.requests());
    let before = collector.requests();
    with_default(&dispatch, || requests(&instruments.spans, 1));
    settled(&instruments, 101);
    assert_eq!(collector.requests(), before + 2, "one for the span, one for the log record");
}

#[test]
fn an_unreachable_collector_loses_only_its_own_items() {
    let gone = Collector::answering().unwrap().endpoint();
    let (_telemetry, instruments, dispatch) = start(gone, PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 600));
    assert_eq!(settled(&instruments, 600), Accounts { full: 0, failed: 600, exported: 0 });
}

#[test]
fn a_collector_that_answers_gets_everything() {
    let collector = Collector::answering().unwrap();
    let (telemetry, instruments, dispatch) = start(collector.endpoint(), PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 600));
    assert_eq!(settled(&instruments, 600), Accounts { full: 0, failed: 0, exported: 600 });
    with_default(&dispatch, || requests(&instruments.spans, 5));
    telemetry.stop(PATIENCE);
    assert_eq!(
        (collector.spans().len(), collector.logs().len()),
        (605, 605),
        "including the items left at the end"
    );
}

#[test]
fn stopping_does_not_wait_for_a_hanging_collector() {
    let collector = Collector::hanging().unwrap();
    let (telemetry, instruments, dispatch) = start(collector.endpoint(), 10 * PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 1_000));
    let began = Instant::now();
    telemetry.stop(Duration::from_millis(200));
    assert!(began.elapsed() < PATIENCE, "it waited for the export timeout");
}

#[test]
fn a_span_outside_a_traced_request_is_dropped() {
    let collector = Collector::answering().unwrap();
    let (telemetry, instruments, dispatch) = start(collector.endpoint(), PATIENCE);
    with_default(&dispatch, || {
        // A library opens its own span and a port is called in it, outside a request.
        let port = || tracing::info_span!(target: "boxoffice::trace", "port").in_scope(|| ());
        tracing::info_span!("library").in_scope(port);
        requests(&instruments.spans, 1);
    });
    telemetry.stop(PATIENCE);
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET"]);
}

/// Blocks every write until it is released.
struct Stuck(mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn unread_log_lines_delay_no_request() {
    let (let_go, stuck) = mpsc::channel();
    let settings = Settings { otlp: None, ..settings(String::new(), PATIENCE) };
    let (telemetry, dispatch) = Telemetry::prepare(&settings, Stuck(stuck)).unwrap();
    let scrape = telemetry.instruments().scrape.unwrap();
    with_default(&dispatch, || (0..REQUESTS).for_each(|_| tracing::info!("a line")));
    let dropped = accounts(&scrape, "lines").full;
    assert!(dropped > REQUESTS / 2 && dropped < REQUESTS, "{dropped} lines dropped");
    drop(let_go);
}
