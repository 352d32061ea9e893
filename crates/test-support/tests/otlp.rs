//! A collector stores what it receives, or fails as configured.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use test_support::otlp::{self, Attributes, Collector};
use ureq::{Agent, SendBody};

const LIMIT: Duration = Duration::from_secs(30);
const PROTOBUF: &str = "application/x-protobuf";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

fn client(limit: Duration) -> Agent {
    Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).build().into()
}

/// Posts a body; returns the status and the body of the answer.
fn post(client: &Agent, url: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut answer = client.post(url).header("Content-Type", kind).send(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any(value), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![pair("service.name", text("boxoffice"))],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "tests".to_owned(), ..InstrumentationScope::default() })
}

fn named(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn traces() -> ExportTraceServiceRequest {
    let list = ArrayValue {
        values: vec![AnyValue { value: Some(text("a")) }, AnyValue { value: Some(text("b")) }],
    };
    let span = Span {
        trace_id: bytes(TRACE_ID),
        span_id: bytes(SPAN_ID),
        parent_span_id: bytes("00f067aa0ba902b7"),
        name: "GET /queue".to_owned(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 2_000,
        attributes: vec![
            pair("http.response.status_code", Value::IntValue(503)),
            pair("is_new", Value::BoolValue(true)),
            pair("share", Value::DoubleValue(0.5)),
            pair("both", Value::ArrayValue(list)),
            pair("raw", Value::BytesValue(vec![0, 255])),
        ],
        events: vec![Event { name: "retried".to_owned(), ..Event::default() }],
        links: vec![Link {
            trace_id: bytes("4bf92f3577b34da6a3ce929d0e0e4736"),
            ..Link::default()
        }],
        status: Some(Status { code: StatusCode::Error.into(), message: "unavailable".to_owned() }),
        ..Span::default()
    };
    let scope_spans =
        vec![ScopeSpans { scope: scope(), spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

fn span() -> otlp::Span {
    otlp::Span {
        trace_id: TRACE_ID.to_owned(),
        span_id: SPAN_ID.to_owned(),
        parent_span_id: Some("00f067aa0ba902b7".to_owned()),
        name: "GET /queue".to_owned(),
        kind: "server".to_owned(),
        attributes: named(&[
            ("http.response.status_code", "503"),
            ("is_new", "true"),
            ("share", "0.5"),
            ("both", "[a, b]"),
            ("raw", "00ff"),
        ]),
        events: vec!["retried".to_owned()],
        linked_trace_ids: vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()],
        status: otlp::Status::Error("unavailable".to_owned()),
        start_nanos: 1_000,
        end_nanos: 2_000,
        scope: "tests".to_owned(),
        resource: named(&[("service.name", "boxoffice")]),
    }
}

fn log_export() -> ExportLogsServiceRequest {
    let log = LogRecord {
        severity_number: 9,
        body: any(text("the sale began")),
        attributes: vec![pair("concert", Value::IntValue(7))],
        trace_id: bytes(TRACE_ID),
        ..LogRecord::default()
    };
    let scope_logs =
        vec![ScopeLogs { scope: scope(), log_records: vec![log], ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

fn metric_export() -> ExportMetricsServiceRequest {
    let point = |path: &str, value| metrics::NumberDataPoint {
        attributes: vec![pair("path", text(path))],
        value: Some(metrics::number_data_point::Value::AsInt(value)),
        ..metrics::NumberDataPoint::default()
    };
    let sum = metrics::Sum {
        data_points: vec![point("/a", 3), point("/b", 4)],
        ..metrics::Sum::default()
    };
    let point = metrics::HistogramDataPoint {
        count: 2,
        sum: Some(0.75),
        ..metrics::HistogramDataPoint::default()
    };
    let histogram =
        metrics::Histogram { data_points: vec![point], ..metrics::Histogram::default() };
    let metric = |name: &str, data| metrics::Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..metrics::Metric::default()
    };
    let both = vec![
        metric("requests", metrics::metric::Data::Sum(sum)),
        metric("durations", metrics::metric::Data::Histogram(histogram)),
    ];
    let scope_metrics = vec![metrics::ScopeMetrics {
        scope: scope(),
        metrics: both,
        ..metrics::ScopeMetrics::default()
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            resource: resource(),
            scope_metrics,
            ..metrics::ResourceMetrics::default()
        }],
    }
}

fn address(collector: &Collector) -> SocketAddr {
    collector.endpoint().strip_prefix("http://").unwrap().parse().unwrap()
}

#[test]
fn a_span_reads_back_as_sent() {
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/traces", collector.endpoint());
    let (status, body) = post(&client(LIMIT), &url, PROTOBUF, &traces().encode_to_vec());
    assert_eq!(status, 200);
    assert_eq!(
        ExportTraceServiceResponse::decode(&*body).unwrap(),
        ExportTraceServiceResponse::default()
    );
    assert_eq!(collector.spans(), [span()]);
    assert_eq!(collector.requests(), 1);
    assert_eq!(collector.headers()["content-type"], PROTOBUF);
}

#[test]
fn a_log_reads_back_as_sent() {
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/logs", collector.endpoint());
    assert_eq!(post(&client(LIMIT), &url, PROTOBUF, &log_export().encode_to_vec()).0, 200);
    let log = otlp::Log {
        body: "the sale began".to_owned(),
        severity: "info".to_owned(),
        attributes: named(&[("concert", "7")]),
        trace_id: Some(TRACE_ID.to_owned()),
        span_id: None,
        scope: "tests".to_owned(),
        resource: named(&[("service.name", "boxoffice")]),
    };
    assert_eq!(collector.logs(), [log]);
}

#[test]
fn metrics_read_back_by_series() {
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/metrics", collector.endpoint());
    assert_eq!(post(&client(LIMIT), &url, PROTOBUF, &metric_export().encode_to_vec()).0, 200);
    let series = |name: &str, kind, path: Option<&str>, value, count| otlp::Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        description: String::new(),
        kind,
        attributes: path.map(|path| named(&[("path", path)])).unwrap_or_default(),
        value,
        count,
        scope: "tests".to_owned(),
        resource: named(&[("service.name", "boxoffice")]),
    };
    let expected = [
        series("requests", "sum", Some("/a"), 3.0, None),
        series("requests", "sum", Some("/b"), 4.0, None),
        series("durations", "histogram", None, 0.75, Some(2)),
    ];
    assert_eq!(collector.metrics(), expected);
    assert_eq!(collector.metric_names().into_iter().collect::<Vec<_>>(), ["durations", "requests"]);
}

#[test]
fn json_is_accepted() {
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/traces", collector.endpoint());
    let json = serde_json::to_vec(&traces()).unwrap();
    assert_eq!(post(&client(LIMIT), &url, "application/json", &json), (200, b"{}".to_vec()));
    assert_eq!(collector.spans(), [span()]);
}

#[test]
fn chunked_bodies_and_reused_connections_work() {
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/traces", collector.endpoint());
    let client = client(LIMIT);
    for sent in 1..=3 {
        let body = traces().encode_to_vec();
        let mut body = &*body;
        let request = client.post(&url).header("Content-Type", PROTOBUF);
        let mut answer = request.send(SendBody::from_reader(&mut body)).unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.body_mut().read_to_vec().unwrap().is_empty());
        assert_eq!(collector.headers()["transfer-encoding"], "chunked");
        assert_eq!(collector.spans().len(), sent);
    }
}

#[test]
fn invalid_exports_are_refused() {
    let collector = Collector::answering().unwrap();
    let client = client(LIMIT);
    let url = |path: &str| format!("{}{path}", collector.endpoint());
    assert_eq!(post(&client, &url("/v1/traces"), PROTOBUF, b"no protobuf").0, 400);
    assert_eq!(post(&client, &url("/v1/traces"), "application/json", b"no json").0, 400);
    assert_eq!(post(&client, &url("/v1/others"), PROTOBUF, b"").0, 404);
    assert_eq!(client.get(url("/v1/traces")).call().unwrap().status(), 405);
    assert_eq!(collector.requests(), 4);
    assert!(collector.spans().is_empty());
}

#[test]
fn the_latest_are_kept() {
    const SENT: usize = 25_000;
    let collector = Collector::answering().unwrap();
    let url = format!("{}/v1/logs", collector.endpoint());
    let log =
        |number: usize| LogRecord { body: any(text(&number.to_string())), ..LogRecord::default() };
    let log_records = (0..SENT).map(log).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let export = ExportLogsServiceRequest { resource_logs };
    assert_eq!(post(&client(LIMIT), &url, PROTOBUF, &export.encode_to_vec()).0, 200);
    let logs = collector.logs();
    assert_eq!((logs.len(), &*logs[0].body, &*logs[19_999].body), (20_000, "5000", "24999"));
}

#[test]
fn a_failing_collector_answers_503() {
    let collector = Collector::failing().unwrap();
    let url = format!("{}/v1/traces", collector.endpoint());
    assert_eq!(post(&client(LIMIT), &url, PROTOBUF, &traces().encode_to_vec()).0, 503);
    assert_eq!(collector.requests(), 1);
    assert!(collector.spans().is_empty());
}

#[test]
fn a_hanging_collector_never_answers() {
    let collector = Collector::hanging().unwrap();
    let url = format!("{}/v1/traces", collector.endpoint());
    let answer = client(Duration::from_millis(500)).post(&url).send(&traces().encode_to_vec());
    assert!(matches!(answer, Err(ureq::Error::Timeout(_))), "{answer:?}");
    // It has read the request that it does not answer.
    assert_eq!(collector.requests(), 1);
}

#[test]
fn a_dropped_collector_ends_waiting_requests_and_frees_its_port() {
    let collector = Collector::hanging().unwrap();
    let (url, address) = (format!("{}/v1/traces", collector.endpoint()), address(&collector));
    let waiting =
        thread::spawn(move || client(LIMIT).post(&url).send(&traces().encode_to_vec()).is_err());
    assert!(collector.wait_until(LIMIT, |collector| collector.requests() == 1));
    let began = Instant::now();
    drop(collector);
    assert!(waiting.join().unwrap());
    assert!(began.elapsed() < LIMIT / 2, "the client timed out");
    drop(TcpListener::bind(address).unwrap());
}

#[test]
fn waiting_ends_at_the_limit() {
    let collector = Collector::answering().unwrap();
    let limit = Duration::from_millis(50);
    let began = Instant::now();
    assert!(!collector.wait_until(limit, |collector| !collector.spans().is_empty()));
    assert!(began.elapsed() >= limit);
}

#[tokio::test]
async fn a_task_can_start_a_collector() {
    drop(Collector::answering().unwrap());
}
