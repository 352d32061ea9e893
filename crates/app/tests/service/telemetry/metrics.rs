//! The metrics while users join, wait, claim, leave and are refused.

use std::io::Write as _;
use std::net::TcpStream;

use super::scrape::Scrape;
use crate::support::{TestApp, eventually};

fn scrape(app: &TestApp) -> Scrape {
    Scrape(app.ops("/metrics").text)
}

const QUEUE: [(&str, &str); 1] = [("queue", "main")];

#[test]
fn the_queue_metrics_follow_its_users() {
    // Calls two users, then none for an hour.
    let app = TestApp::start(&[
        "queue.policy.batch=2",
        "queue.policy.every=1h",
        "queue.policy.max_active=7",
    ]);
    let tokens = [1, 2, 3, 4, 5].map(|user| app.token_of(user));
    app.token_of(5);
    assert_eq!(app.dates("451", &tokens[0]).status, 200);
    assert_eq!(app.dates("451", &tokens[4]).status, 403);
    assert_eq!(app.dates("451", "forged").status, 401);
    assert_eq!(app.leave(&tokens[3]).status, 204);
    assert_eq!(app.leave(&tokens[3]).status, 410);
    let number = |name: &str| scrape(&app).is(&format!("boxoffice_queue_{name}"), &QUEUE);
    eventually("the view is complete", || {
        number("claimed_total") == 1.0 && number("left_total") == 1.0
    });
    for (name, expected) in [
        ("last", 5.0),
        ("serving", 2.0),
        ("waiting", 2.0),
        ("called", 1.0),
        ("active", 1.0),
        ("active_limit", 7.0),
        ("lapsed_total", 0.0),
        ("ended_total", 0.0),
        ("recovering", 0.0),
    ] {
        assert_eq!(number(name), expected, "{name}");
    }
    let scrape = scrape(&app);
    let joined = |kind| scrape.is("boxoffice_queue_joined_total", &[("kind", kind)]);
    assert_eq!((joined("new"), joined("again")), (5.0, 1.0));
    let refused = |reason| scrape.is("boxoffice_queue_refused_total", &[("reason", reason)]);
    assert_eq!((refused("not_yet"), refused("malformed"), refused("gone")), (1.0, 1.0, 1.0));
    assert!(
        scrape.is("boxoffice_queue_view_age_seconds", &QUEUE)
            < scrape.is("boxoffice_queue_view_limit_seconds", &QUEUE)
    );
}

#[test]
fn each_called_user_is_counted_with_the_wait_and_the_error_of_its_estimate() {
    let app = TestApp::start(&["queue.policy.batch=1", "queue.policy.every=1s"]);
    for user in 1..=3 {
        app.token_of(user);
    }
    let count = |name: &str, labels: &[(&str, &str)]| {
        scrape(&app)
            .get(&format!("boxoffice_queue_{name}_seconds_count"), labels)
            .unwrap_or_default()
    };
    eventually("all are called", || count("wait_duration", &QUEUE) >= 2.0);
    let wrong = count("promise_error", &[("direction", "early")])
        + count("promise_error", &[("direction", "late")]);
    assert_eq!(wrong, count("wait_duration", &QUEUE), "each of them once");
}

#[test]
fn requests_are_labelled_by_route_status_and_code_and_by_nothing_that_clients_send() {
    let app = TestApp::start(&[]);
    let token = app.token_of(987_654_321);
    app.query(&token);
    app.request("GET", "/concert/987654321/date", &[("waitingToken", &token)]);
    app.request("GET", "/qzx-path?qzx=query", &[("x-request-id", "qzx-id")]);
    let mut brewing = TcpStream::connect(app.public).unwrap();
    brewing
        .write_all(b"BREW /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert!(std::io::read_to_string(brewing).unwrap().starts_with("HTTP/1.1 405"));
    app.request("GET", "/user/queue/token/query", &[]);
    let scrape = scrape(&app);
    let requests =
        |labels: &[(&str, &str)]| scrape.is("http_server_request_duration_seconds_count", labels);
    let issue = "/api/v1/user/{userId}/queue/token/issue";
    let good = [
        ("http_route", issue),
        ("http_request_method", "POST"),
        ("http_response_status_code", "200"),
    ];
    assert_eq!(requests(&good), 1.0);
    let query = ("http_route", "/api/v1/user/queue/token/query");
    assert_eq!(
        requests(&[query, ("error_type", "TOKEN_MISSING"), ("http_response_status_code", "401")]),
        1.0
    );
    assert_eq!(
        requests(&[
            ("error_type", "CONCERT_NOT_FOUND"),
            ("http_route", "/api/v1/concert/{concertId}/date")
        ]),
        1.0
    );
    assert_eq!(requests(&[("error_type", "ROUTE_NOT_FOUND")]), 1.0);
    assert_eq!(
        requests(&[("http_request_method", "_OTHER"), ("error_type", "METHOD_NOT_ALLOWED")]),
        1.0
    );
    for secret in ["987654321", "qzx", "BREW", token.as_str()] {
        assert!(!scrape.0.contains(secret), "{secret} is in a label");
    }
}

#[test]
fn shed_and_rate_limited_requests_are_counted_apart_from_failures() {
    let app = TestApp::start(&["overload.per_user.per_second=1", "overload.per_user.burst=1"]);
    app.token_of(1);
    let refused = app.request("POST", "/user/1/queue/token/issue", &[]);
    assert_eq!(refused.status, 429);
    let scrape = scrape(&app);
    assert_eq!(scrape.is("boxoffice_overload_rate_limited_total", &[("limit", "user")]), 1.0);
    assert_eq!(
        scrape.is(
            "http_server_request_duration_seconds_count",
            &[("error_type", "TOO_MANY_REQUESTS")]
        ),
        1.0
    );
    assert_eq!(app.ops("/failures").number("total"), 0, "nothing failed");
}

#[test]
fn caches_breakers_and_the_build_have_metrics() {
    let app = TestApp::start(&[]);
    for _ in 0..3 {
        assert_eq!(app.request("GET", "/concerts/query", &[]).status, 200);
    }
    app.token_of(1);
    let scrape = scrape(&app);
    let cache = |result| {
        let labels = [("cache", "concerts"), ("layer", "local"), ("result", result)];
        scrape.is("boxoffice_cache_requests_total", &labels)
    };
    assert_eq!((cache("miss"), cache("hit")), (1.0, 2.0));
    let state = |state| {
        scrape.is("boxoffice_circuit_breaker_state", &[("breaker", "joining"), ("state", state)])
    };
    assert_eq!((state("closed"), state("open"), state("half_open")), (1.0, 0.0, 0.0));
    let calls = [("breaker", "joining"), ("kind", "successful")];
    assert_eq!(scrape.is("boxoffice_circuit_breaker_calls_total", &calls), 1.0);
    assert_eq!(scrape.is("boxoffice_phase", &[("phase", "serving")]), 1.0);
    let hash = app.ops("/failures").word("configHash");
    assert_eq!(scrape.is("boxoffice_build_info", &[("config_hash", &hash)]), 1.0);
}

#[test]
fn without_metrics_their_page_is_not_found() {
    let app = TestApp::unmeasured(&[]);
    assert_eq!(app.ops("/metrics").status, 404);
    assert_eq!(app.join_line(1).status, 200);
}
