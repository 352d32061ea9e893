//! Puts marked secrets into every input, and searches every output for them.

use test_support::otlp::Collector;

use crate::program::{Serving, boxoffice, text};
use crate::support::{LIMIT, agent, eventually, send};

/// Occurs nowhere else.
const MARK: &str = "Zq7HushHush";

/// 32 bytes whose encoding contains the mark.
const KEY: &str = "Zq7HushHushZq7HushHushZq7HushHushZq7HushHus";

fn settings(collector: &Collector) -> Vec<String> {
    // Closed ports, so that every address causes an error.
    vec![
        "catalog.store=postgres".to_owned(),
        format!("postgres.url=postgres://app:{MARK}1@127.0.0.1:1/boxoffice"),
        "queue.store=redis".to_owned(),
        format!("redis.queue.url=redis://app:{MARK}2@127.0.0.1:1"),
        "cache.store=redis".to_owned(),
        format!("redis.cache.url=redis://app:{MARK}3@127.0.0.1:2"),
        format!("queue.keys={KEY}"),
        format!("telemetry.otlp.endpoint={}", collector.endpoint()),
        format!("telemetry.otlp.headers=authorization=Bearer {MARK}4"),
        "telemetry.otlp.metrics_every=1s".to_owned(),
        "telemetry.traces.sample=1".to_owned(),
        "telemetry.log_sample=1".to_owned(),
        "telemetry.log_filter=trace".to_owned(),
        "ops.check_every=100ms".to_owned(),
    ]
}

/// Sends marks in everything that a client can send.
fn request(node: &Serving) {
    let agent = agent();
    let marked = [
        ("waitingToken", format!("{MARK}5.token")),
        ("authorization", format!("Bearer {MARK}6")),
        ("cookie", format!("session={MARK}7")),
        ("traceparent", format!("{MARK}8")),
        ("x-request-id", format!("{MARK} not an id")),
        ("user-agent", format!("{MARK}9")),
    ];
    let mut headers: Vec<(&str, &str)> =
        marked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (method, path) in [
        ("POST", "/user/1/queue/token/issue".to_owned()),
        ("POST", format!("/user/{MARK}/queue/token/issue")),
        ("GET", "/user/queue/token/query".to_owned()),
        ("GET", format!("/concerts/query?page={MARK}&{MARK}={MARK}")),
        ("GET", format!("/concert/{MARK}/date")),
        ("GET", "/concert/451/date".to_owned()),
        ("DELETE", "/user/queue/token".to_owned()),
        ("GET", format!("/{MARK}")),
    ] {
        send(&agent, method, &node.url(&path), &headers, &[]);
        let body = if method == "GET" { Vec::new() } else { MARK.as_bytes().to_vec() };
        send(&agent, method, &node.url(&path), &headers, &body);
    }
    // Without a token to refuse, a join reaches the store, which is down.
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("waitingtoken"));
    send(&agent, "POST", &node.url("/user/1/queue/token/issue"), &headers, MARK.as_bytes());
}

#[test]
fn no_secret_token_or_client_input_appears_in_any_output() {
    let collector = Collector::answering().unwrap();
    let settings = settings(&collector);
    let words: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let mut node = Serving::start(&words);
    request(&node);
    let ops =
        |path: &str| send(&agent(), "GET", &format!("http://{}{path}", node.ops), &[], &[]).text;
    eventually("outages are reported", || ops("/readyz").contains("degraded"));
    let shown = ["/livez", "/startupz", "/readyz", "/protection", "/failures", "/metrics"].map(ops);
    assert!(!ops("/failures").contains("\"total\":0"), "there are failures to check");

    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.tar.gz");
    let place = bundle.to_str().unwrap().to_owned();
    let address = node.ops.to_string();
    let diagnostics = [&["diagnostics", "--ops", &address, "--out", &place][..], &words].concat();
    let diagnosed = boxoffice(&diagnostics, &[]);
    assert!(diagnosed.status.success(), "{}", text(&diagnosed.stderr));
    let mut unpacked = Vec::new();
    let mut archive = flate2::read::GzDecoder::new(std::fs::File::open(&bundle).unwrap());
    std::io::Read::read_to_end(&mut archive, &mut unpacked).unwrap();

    let signals = |collector: &Collector| {
        !collector.spans().is_empty()
            && !collector.logs().is_empty()
            && !collector.metrics().is_empty()
    };
    assert!(collector.wait_until(LIMIT, signals), "every signal is exported");
    node.signal("-TERM");
    let (code, log) = node.end();
    assert_eq!(code, Some(0), "{log}");
    let printed = boxoffice(&[&["config"][..], &words].concat(), &[]);

    let sent = format!("{:?}{:?}{:?}", collector.spans(), collector.logs(), collector.metrics());
    let outputs = [
        ("the log", log.as_str()),
        ("the exported telemetry", &sent),
        ("the bundle", &String::from_utf8_lossy(&unpacked)),
        ("boxoffice diagnostics", text(&diagnosed.stdout)),
        ("boxoffice config", text(&printed.stdout)),
    ];
    for (what, output) in
        outputs.into_iter().chain(shown.iter().map(|shown| ("an operations route", shown.as_str())))
    {
        assert!(!output.is_empty(), "{what} is empty");
        if let Some(at) = output.find(MARK) {
            let around = &output[output.floor_char_boundary(at.saturating_sub(300))
                ..output.ceil_char_boundary(at + 100)];
            panic!("a mark is in {what}: … {around} …");
        }
    }
}
