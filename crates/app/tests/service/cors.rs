//! Pages of other sites that call the API from a browser.

use crate::support::TestApp;

const SHOP: &str = "https://shop.example";
const LIST: &str = "/api/v1/concerts/query";
const STATUS: &str = "/api/v1/user/queue/token/query";

fn preflight(app: &TestApp, origin: &str, method: &str, headers: &str) -> (u16, String) {
    let asked = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", headers),
    ];
    let answer = app.public("OPTIONS", STATUS, &asked);
    (answer.status, answer.header("access-control-allow-origin").to_owned())
}

#[test]
fn no_other_site_may_call_the_api_by_default() {
    let app = TestApp::start(&[]);
    assert_eq!(preflight(&app, SHOP, "GET", "waitingtoken"), (405, String::new()));
    let answer = app.public("GET", LIST, &[("Origin", SHOP)]);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

#[test]
fn the_configured_origins_may_call_it_and_no_other() {
    let app = TestApp::start(&["http.cors_origins=https://shop.example,http://localhost:3000"]);
    for origin in [SHOP, "http://localhost:3000"] {
        for method in ["GET", "POST", "DELETE"] {
            let allowed = (200, origin.to_owned());
            assert_eq!(preflight(&app, origin, method, "waitingToken,joinPuzzle"), allowed);
        }
        let answer = app.public("GET", LIST, &[("Origin", origin)]);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert!(answer.header("vary").contains("Origin"), "{answer:?}");
        for exposed in ["x-request-id", "retry-after", "x-total-count", "etag", "link"] {
            let all = answer.header("access-control-expose-headers").to_ascii_lowercase();
            assert!(all.contains(exposed), "{exposed}: {all}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    for other in
        ["https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"]
    {
        assert_eq!(preflight(&app, other, "GET", "waitingToken").1, "", "{other}");
        let answer = app.public("GET", LIST, &[("Origin", other)]);
        assert_eq!(answer.header("access-control-allow-origin"), "", "{other}");
    }
    assert_eq!(preflight(&app, SHOP, "PATCH", "waitingToken").0, 400);
    assert_eq!(preflight(&app, SHOP, "GET", "x-other").0, 400);
}

/// A page must be able to read why it was refused, and when to come back.
#[test]
fn refusals_can_be_read_too() {
    let app = TestApp::start(&[
        "http.cors_origins=https://shop.example",
        "overload.per_address.per_second=1",
        "overload.per_address.burst=2",
    ]);
    let refused: Vec<_> = (0..6)
        .map(|_| app.public("GET", STATUS, &[("Origin", SHOP)]))
        .inspect(|answer| assert_eq!(answer.header("access-control-allow-origin"), SHOP))
        .map(|answer| answer.status)
        .collect();
    assert!(refused.contains(&401) && refused.contains(&429), "{refused:?}");
}

#[test]
fn a_request_without_an_origin_is_served_as_before() {
    let app = TestApp::start(&["http.cors_origins=https://shop.example"]);
    let answer = app.public("GET", LIST, &[]);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
    assert_eq!(app.public("OPTIONS", LIST, &[]).word("code"), "METHOD_NOT_ALLOWED");
}
