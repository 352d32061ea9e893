//! One request, as a collector hears of it; and what a collector that does not answer costs.

use std::time::Duration;

use serde_json::Value;
use test_support::otlp::{Collector, Span, Status};
use test_support::{Redis, RedisBinaries, RedisSetup};

use super::scrape::Scrape;
use crate::program::Serving;
use crate::support::{Answer, LIMIT, agent, eventually, send};

const ISSUE: &str = "POST /api/v1/user/{userId}/queue/token/issue";

/// The program, sending everything to a collector at once.
struct Sending {
    node: Serving,
    agent: ureq::Agent,
}

impl Sending {
    fn to(collector: &Collector, settings: &[&str]) -> Self {
        let endpoint = format!("telemetry.otlp.endpoint={}", collector.endpoint());
        let usual = [
            &endpoint,
            "telemetry.otlp.metrics_every=1s",
            "telemetry.traces.sample=1",
            "telemetry.log_sample=1",
        ];
        let words: Vec<&str> =
            usual.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
        Self { node: Serving::start(&words), agent: agent() }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.agent, method, &self.node.url(path), headers, &[])
    }

    fn join(&self, user: u64) -> Answer {
        self.ask("POST", &format!("/user/{user}/queue/token/issue"), &[])
    }

    fn scrape(&self) -> Scrape {
        Scrape(
            send(&self.agent, "GET", &format!("http://{}/metrics", self.node.ops), &[], &[]).text,
        )
    }

    fn stop(mut self) -> String {
        self.node.signal("-TERM");
        let (code, log) = self.node.end();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

/// The id of the trace of a request whose id was made by the service: it is the same one.
fn trace_of(answer: &Answer) -> String {
    answer.header("x-request-id").replace('-', "")
}

/// The one span of this name in this trace.
fn span(collector: &Collector, trace: &str, name: &str) -> Span {
    let found = |collector: &Collector| {
        collector.spans().into_iter().find(|span| span.trace_id == trace && span.name == name)
    };
    let _ = collector.wait_until(LIMIT, |collector| found(collector).is_some());
    found(collector).unwrap_or_else(|| panic!("no {name} of {trace} in {:#?}", collector.spans()))
}

#[test]
fn a_request_is_a_trace_with_its_question_a_log_record_and_a_point_of_each_metric() {
    for protocol in ["http/protobuf", "http/json"] {
        let collector = Collector::answering().unwrap();
        let settings = [
            &format!("telemetry.otlp.protocol={protocol}"),
            "telemetry.resource=deployment.environment.name=test",
            "telemetry.otlp.headers=x-key=hush",
        ];
        let service = Sending::to(&collector, &settings);
        let joined = service.join(7);
        let trace = trace_of(&joined);

        let request = span(&collector, &trace, ISSUE);
        assert_eq!(
            (request.kind.as_str(), request.status, request.parent_span_id),
            ("server", Status::Unset, None)
        );
        let attribute = |name: &str| request.attributes.get(name).map(String::as_str);
        assert_eq!(attribute("http.route"), Some("/api/v1/user/{userId}/queue/token/issue"));
        assert_eq!(attribute("http.response.status_code"), Some("200"));
        assert_eq!(request.resource["service.name"], "boxoffice");
        assert_eq!(request.resource["deployment.environment.name"], "test");
        let question = span(&collector, &trace, "join memory");
        assert_eq!(
            (question.kind.as_str(), question.parent_span_id),
            ("client", Some(request.span_id.clone()))
        );
        assert!(
            question.start_nanos >= request.start_nanos && question.end_nanos <= request.end_nanos
        );

        let of_it = |collector: &Collector| {
            collector.logs().into_iter().find(|log| log.trace_id.as_deref() == Some(trace.as_str()))
        };
        assert!(collector.wait_until(LIMIT, |collector| of_it(collector).is_some()));
        let log = of_it(&collector).unwrap();
        assert_eq!(
            (log.body.as_str(), log.attributes["http_status"].as_str()),
            ("a request was answered", "200")
        );
        assert_eq!(log.span_id, Some(request.span_id));

        let counted = |collector: &Collector| {
            let metrics = collector.metrics();
            metrics.iter().any(|metric| {
                metric.name == "http.server.request.duration" && metric.count >= Some(1)
            }) && metrics
                .iter()
                .any(|metric| metric.name == "boxoffice.queue.last" && metric.value >= 1.0)
        };
        assert!(collector.wait_until(LIMIT, counted), "{:?}", collector.metric_names());
        assert_eq!(collector.headers()["x-key"], "hush");
        let log = service.stop();
        let line =
            log.lines().find(|line| line.contains(&trace)).unwrap_or_else(|| panic!("{log}"));
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (line["trace_id"].as_str(), line["http_status"].as_u64()),
            (Some(trace.as_str()), Some(200))
        );
    }
}

#[test]
fn a_refusal_is_no_error_of_the_server_and_a_failure_is_one_told_once() {
    let collector = Collector::answering().unwrap();
    let redis = Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap();
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let key = "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
    let service = Sending::to(&collector, &["queue.store=redis", &url, key]);
    let unknown = service.ask("GET", "/concert/0/date", &[]);
    let refused = span(&collector, &trace_of(&unknown), "GET /api/v1/concert/{concertId}/date");
    assert_eq!(refused.status, Status::Unset);
    assert_eq!(refused.attributes["http.response.status_code"], "400");
    assert!(
        !refused.attributes.contains_key("error.type"),
        "what a caller does wrong is no error of the server's"
    );

    drop(redis);
    let mut failed = service.join(1);
    eventually("the line is away", || {
        failed = service.join(1);
        failed.status == 503
    });
    let trace = trace_of(&failed);
    assert!(matches!(span(&collector, &trace, ISSUE).status, Status::Error(_)));
    let question = span(&collector, &trace, "join redis");
    assert!(matches!(question.status, Status::Error(_)));
    assert_eq!(question.attributes["error.type"], "unavailable");
    let log = service.stop();
    let told: Vec<&str> = log.lines().filter(|line| line.contains(&trace)).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("\"error_code\":\"STORE_UNAVAILABLE\"")
            && told[0].contains("\"level\":\"WARN\"")
    );
}

#[test]
fn a_batch_of_joins_knows_the_requests_it_served() {
    let collector = Collector::answering().unwrap();
    let redis = Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap();
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let key = "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
    let service = Sending::to(&collector, &["queue.store=redis", &url, key]);
    eventually("somebody can join", || service.join(1).status == 200);
    let trace = trace_of(&service.join(2));
    let linked = |collector: &Collector| {
        collector
            .spans()
            .iter()
            .any(|span| span.name == "queue.join batch" && span.linked_trace_ids.contains(&trace))
    };
    assert!(collector.wait_until(LIMIT, linked), "{:#?}", collector.spans());
}

#[test]
fn a_callers_trace_is_taken_up_only_from_callers_that_are_trusted() {
    let ours = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{ours}-00f067aa0ba902b7-01");
    let ask =
        |service: &Sending| service.ask("GET", "/concerts/query", &[("traceparent", &traceparent)]);
    let list = "GET /api/v1/concerts/query";

    let collector = Collector::answering().unwrap();
    let trusting = Sending::to(
        &collector,
        &["telemetry.traces.trust_callers=true", "telemetry.traces.sample=0"],
    );
    ask(&trusting);
    let taken_up = span(&collector, ours, list);
    assert_eq!(taken_up.parent_span_id.as_deref(), Some("00f067aa0ba902b7"));

    let collector = Collector::answering().unwrap();
    let wary = Sending::to(&collector, &[]);
    let trace = trace_of(&ask(&wary));
    assert_eq!(span(&collector, &trace, list).parent_span_id, None);
    assert!(collector.spans().iter().all(|span| span.trace_id != ours));
}

/// Asks so much that nothing could wait in the queue, while the collector does nothing for it; returns what was dropped.
fn load(collector: &Collector) -> (f64, String) {
    let settings = ["telemetry.otlp.queue=16", "telemetry.otlp.timeout=1s"];
    let service = Sending::to(collector, &settings);
    let served = |_| service.ask("GET", "/concerts/query", &[]).status == 200;
    assert!((0..2_000).all(served), "a request was refused");
    let dropped = |reason| {
        let labels = |signal| [("signal", signal), ("reason", reason)];
        let scrape = service.scrape();
        scrape.is("boxoffice_telemetry_dropped_total", &labels("spans"))
            + scrape.is("boxoffice_telemetry_dropped_total", &labels("logs"))
    };
    eventually("what was under way is given up", || dropped("export_failed") > 0.0);
    let exported =
        service.scrape().is("boxoffice_telemetry_exported_total", &[("signal", "spans")]);
    assert_eq!(exported, 0.0);
    (dropped("queue_full") + dropped("export_failed"), service.stop())
}

#[test]
fn a_collector_that_hangs_or_fails_costs_a_counter_and_one_line_a_signal() {
    for collector in [Collector::hanging().unwrap(), Collector::failing().unwrap()] {
        let (dropped, log) = load(&collector);
        assert!(dropped > 1_000.0, "{dropped}");
        let told = log.lines().filter(|line| line.contains("telemetry cannot be sent")).count();
        assert!((1..=3).contains(&told), "{told} lines");
    }
}

#[test]
fn whatever_is_still_there_at_the_end_is_sent() {
    let collector = Collector::answering().unwrap();
    let service = Sending::to(&collector, &[]);
    let trace = trace_of(&service.join(3));
    service.stop();
    let is_there =
        |collector: &Collector| collector.spans().iter().any(|span| span.trace_id == trace);
    assert!(
        collector.wait_until(Duration::ZERO, is_there),
        "the program has ended, and nothing comes any more"
    );
}
