//! The description of the API: it is served, it agrees with the service, and it breaks no client.

pub(crate) mod breaking;
mod checkers;

use serde_json::Value;

use crate::program::{boxoffice, text};
use crate::support::TestApp;

#[test]
fn the_description_is_served_and_printed() {
    let app = TestApp::start(&[]);
    let answer = app.public("GET", "/openapi.json", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let printed = boxoffice(&["openapi"], &[]);
    assert!(printed.status.success(), "{printed:?}");
    assert_eq!(text(&printed.stdout), answer.text);
}

#[test]
fn the_page_and_its_files_are_served_with_their_types() {
    let app = TestApp::start(&[]);
    let page = app.public("GET", "/docs", &[]);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").contains("script-src 'self'"), "{page:?}");
    let files = [
        ("start.js", "text/javascript", "SwaggerUIBundle"),
        ("swagger-ui-bundle.js", "text/javascript", "SwaggerUIBundle"),
        ("swagger-ui.css", "text/css", ".swagger-ui"),
    ];
    for (name, media_type, content) in files {
        assert!(page.text.contains(&format!("docs/{name}")), "{}", page.text);
        let file = app.public("GET", &format!("/docs/{name}"), &[]);
        assert_eq!(file.status, 200, "{name}");
        assert!(file.header("content-type").starts_with(media_type), "{:?}", file.headers);
        assert!(file.text.contains(content), "{name}");
        assert_eq!(file.header("content-encoding"), "");
        let head = app.public("HEAD", &format!("/docs/{name}"), &[("Accept-Encoding", "gzip")]);
        assert_eq!(head.status, 200);
        let encoded = if name == "start.js" { "" } else { "gzip" };
        assert_eq!(head.header("content-encoding"), encoded, "{name}");
    }
    for missing in ["/docs/", "/docs/index.html", "/docs/swagger-ui.css.map", "/openapi.yaml"] {
        assert_eq!(app.public("GET", missing, &[]).word("code"), "ROUTE_NOT_FOUND", "{missing}");
    }
    assert_eq!(app.public("POST", "/docs", &[]).word("code"), "METHOD_NOT_ALLOWED");
}

#[test]
fn nothing_is_at_these_paths_when_the_documentation_is_turned_off() {
    let app = TestApp::start(&["http.docs=false"]);
    for path in ["/openapi.json", "/docs", "/docs/swagger-ui.css"] {
        let answer = app.public("GET", path, &[]);
        assert_eq!((answer.status, answer.word("code").as_str()), (404, "ROUTE_NOT_FOUND"));
        assert_eq!(app.public("POST", path, &[]).status, 404, "{path}");
    }
}

/// The description as the program contains it.
fn described() -> Value {
    serde_json::from_str(adapter_http::openapi_json()).unwrap()
}
