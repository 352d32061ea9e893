//! Each route has one spelling and each request one token, so that a proxy and the service agree on
//! what a request means.

use crate::errors::check_shape;
use crate::support::TestApp;
use crate::telemetry::scrape::Scrape;

const NOT_FOUND: (u16, &str) = (404, "ROUTE_NOT_FOUND");

#[test]
fn a_public_path_with_a_percent_sign_is_not_found() {
    let app = TestApp::start(&[]);
    let token = app.token_of(1);
    let paths = [
        ("POST", "/api/v1/user/%32/queue/token/issue"),
        ("POST", "/api/v1/user/2/queue/token/issu%65"),
        ("POST", "/api/v1/user/2%2fqueue/token/issue"),
        ("POST", "/api/v1/user/%/queue/token/issue"),
        ("POST", "/api/v1/user/%zz/queue/token/issue"),
        ("GET", "/api/v1/user/queue/token/quer%79"),
        ("GET", "/%61pi/v1/user/queue/token/query"),
        ("DELETE", "/api/v1/user/queue/%74oken"),
        ("GET", "/api/v1/concerts/quer%79"),
        ("PUT", "/api/v1/concerts/quer%79"),
        ("GET", "/api/v1/concerts%2Fquery"),
        ("GET", "/api/v1/concert/%34%351/date"),
        ("GET", "/api/v1/concert/451/dat%65"),
    ];
    for (method, path) in paths {
        let answer = app.send(
            method,
            &format!("http://{}{path}", app.public),
            &[("waitingToken", &token)],
            &[],
        );
        check_shape(&answer, NOT_FOUND, "ko", path);
    }
    assert_eq!(app.query(&token).word("status"), "CALLED", "nothing was released");
    let scrape = Scrape(app.ops("/metrics").text);
    let requests =
        |labels: &[(&str, &str)]| scrape.is("http_server_request_duration_seconds_count", labels);
    assert_eq!(requests(&[("error_type", "ROUTE_NOT_FOUND")]), paths.len() as f64);
    assert_eq!(requests(&[("http_route", "/api/v1/user/{userId}/queue/token/issue")]), 1.0);
    assert_eq!(
        app.request("GET", "/concerts/query?page=%31", &[]).status,
        200,
        "a query may have escapes"
    );
}

#[test]
fn an_operations_path_with_a_percent_sign_is_not_found() {
    let app = TestApp::start(&[]);
    for path in ["/live%7A", "/%6detrics", "/%66ailures", "/readyz%2Fnode", "/%"] {
        check_shape(&app.ops(path), NOT_FOUND, "ko", path);
    }
    assert_eq!(app.ops("/livez").status, 200);
}

#[test]
fn a_request_with_two_tokens_is_refused() {
    let app = TestApp::start(&[]);
    let (token, other) = (app.token_of(1), app.token_of(2));
    for (method, path) in [
        ("GET", "/user/queue/token/query"),
        ("GET", "/concert/451/date"),
        ("DELETE", "/user/queue/token"),
        ("POST", "/user/1/queue/token/issue"),
    ] {
        for [first, second] in
            [[&*token, &*token], [&*token, &*other], [&*token, "x"], ["", &*token]]
        {
            let headers = [("waitingToken", first), ("WaitingToken", second)];
            let answer = app.request(method, path, &headers);
            check_shape(&answer, (400, "TOKEN_REPEATED"), "ko", &format!("{method} {path}"));
        }
    }
    assert_eq!(app.query(&token).word("status"), "CALLED", "nothing was claimed or released");
    let list = app.request(
        "GET",
        "/concerts/query",
        &[("waitingToken", &token), ("waitingToken", &token)],
    );
    assert_eq!(list.status, 200, "it needs no token");
}
