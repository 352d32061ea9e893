//! Whatever a collector, or a reader of lines, does: nobody waits for it, and every item is accounted for.

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

/// The longest a test waits for what is certain to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than may wait.
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

/// Telemetry apart from that of other tests.
fn start(endpoint: String, timeout: Duration) -> (Telemetry, Instruments, Dispatch) {
    let (telemetry, dispatch) =
        Telemetry::prepare(&settings(endpoint, timeout), io::sink()).unwrap();
    let instruments = telemetry.instruments();
    (telemetry, instruments, dispatch)
}

/// So many requests, each with a span and a log event.
fn requests(spans: &RequestSpans, count: u64) {
    for id in 1..=count {
        let (span, _) = spans.begin(u128::from(id), None, "GET", None);
        span.in_scope(|| tracing::info!("a request was answered"));
        spans.finish(&span, 200, None);
    }
}

/// What became of the items of a signal.
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

/// Looks again and again until every item of both signals is accounted for. Those of spans.
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
fn a_collector_that_hangs_holds_nobody_up() {
    let collector = Collector::hanging().unwrap();
    let (_telemetry, instruments, dispatch) =
        start(collector.endpoint(), Duration::from_millis(200));
    // Comes to its end although nothing was ever answered.
    with_default(&dispatch, || requests(&instruments.spans, REQUESTS));
    let spans = settled(&instruments, REQUESTS);
    assert_eq!(spans.exported, 0);
    assert!(spans.full > 0 && spans.failed > 0, "{spans:?}");
}

#[test]
fn a_collector_that_fails_is_asked_once_an_export() {
    let collector = Collector::failing().unwrap();
    let (_telemetry, instruments, dispatch) = start(collector.endpoint(), PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 100));
    assert_eq!(settled(&instruments, 100), Accounts { full: 0, failed: 100, exported: 0 });
    assert!(collector.requests() <= 2 * 100, "{} requests", collector.requests());
    let before = collector.requests();
    with_default(&dispatch, || requests(&instruments.spans, 1));
    settled(&instruments, 101);
    assert_eq!(collector.requests(), before + 2, "one for the span, one for the record");
}

#[test]
fn a_collector_that_is_not_there_costs_what_was_for_it() {
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
        "what is left at the end, too"
    );
}

#[test]
fn an_end_does_not_wait_for_a_collector_that_hangs() {
    let collector = Collector::hanging().unwrap();
    let (telemetry, instruments, dispatch) = start(collector.endpoint(), 10 * PATIENCE);
    with_default(&dispatch, || requests(&instruments.spans, 1_000));
    let began = Instant::now();
    telemetry.stop(Duration::from_millis(200));
    assert!(began.elapsed() < PATIENCE, "it waited for as long as the export may take");
}

#[test]
fn a_span_that_stands_alone_is_nobodys() {
    let collector = Collector::answering().unwrap();
    let (telemetry, instruments, dispatch) = start(collector.endpoint(), PATIENCE);
    with_default(&dispatch, || {
        // A library with a span of its own, and a port called in it, outside of any request.
        let port = || tracing::info_span!(target: "boxoffice::trace", "port").in_scope(|| ());
        tracing::info_span!("library").in_scope(port);
        requests(&instruments.spans, 1);
    });
    telemetry.stop(PATIENCE);
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET"]);
}

/// Takes no line before it is let go.
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
fn lines_that_nobody_reads_hold_nobody_up() {
    let (let_go, stuck) = mpsc::channel();
    let settings = Settings { otlp: None, ..settings(String::new(), PATIENCE) };
    let (telemetry, dispatch) = Telemetry::prepare(&settings, Stuck(stuck)).unwrap();
    let scrape = telemetry.instruments().scrape.unwrap();
    with_default(&dispatch, || (0..REQUESTS).for_each(|_| tracing::info!("a line")));
    let dropped = accounts(&scrape, "lines").full;
    assert!(dropped > REQUESTS / 2 && dropped < REQUESTS, "{dropped} found no place");
    drop(let_go);
}
