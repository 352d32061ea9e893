//! The concert list over HTTP.

use crate::support::{Answer, TestApp};

fn ids(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|concert| concert["concertId"].as_u64().unwrap())
        .collect()
}

#[test]
fn ten_concerts_are_on_a_page_and_the_first_page_is_the_default() {
    let app = TestApp::start(&[]);
    let first = app.request("GET", "/concerts/query", &[]);
    assert_eq!(ids(&first), (1..=10).collect::<Vec<_>>());
    assert_eq!(ids(&app.request("GET", "/concerts/query?page=1", &[])), ids(&first));
    assert_eq!(
        ids(&app.request("GET", "/concerts/query?page=1000", &[])),
        (9_991..=10_000).collect::<Vec<_>>()
    );
    assert_eq!(
        ids(&app.request("GET", "/concerts/query?utm=x&page=2", &[])),
        (11..=20).collect::<Vec<_>>()
    );
    assert_eq!(first.header("x-total-count"), "10000");
    let concert = &first.json()[0];
    assert!(concert["concertTitle"].is_string() && concert["concertPlace"].is_string());
}

#[test]
fn the_page_size_is_configurable() {
    let app = TestApp::start(&["concerts.page_size=3", "catalog.sample_concerts=8"]);
    assert_eq!(ids(&app.request("GET", "/concerts/query?page=3", &[])), vec![7, 8]);
}

#[test]
fn a_page_beyond_the_end_is_empty_and_links_back() {
    let app = TestApp::start(&["catalog.sample_concerts=25"]);
    let beyond = app.request("GET", "/concerts/query?page=4294967295", &[]);
    assert!(ids(&beyond).is_empty());
    assert_eq!(beyond.header("x-total-count"), "25");
    assert!(
        beyond.header("link").contains("</api/v1/concerts/query?page=3>; rel=\"prev\""),
        "{beyond:?}"
    );
    assert!(!beyond.header("link").contains("rel=\"next\""));
}

#[test]
fn links_lead_through_the_whole_list() {
    let app = TestApp::start(&["catalog.sample_concerts=25"]);
    let (mut path, mut seen) = ("/concerts/query".to_owned(), Vec::new());
    loop {
        let page = app.request("GET", &path, &[]);
        seen.extend(ids(&page));
        let links = page.header("link").to_owned();
        let next = links.split(", ").find(|link| link.ends_with("rel=\"next\""));
        let Some(next) = next else { break };
        path = next.split(['<', '>']).nth(1).unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    }
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    let app = TestApp::start(&[]);
    let page = app.request("GET", "/concerts/query?page=7", &[]);
    let etag = page.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'));
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let again = app.request("GET", "/concerts/query?page=7", &[("if-none-match", &known)]);
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
        for header in ["etag", "cache-control", "link", "x-total-count"] {
            assert_eq!(again.header(header), page.header(header));
        }
    }
    let other = app.request("GET", "/concerts/query?page=8", &[("if-none-match", &etag)]);
    assert_eq!(other.status, 200, "another page has another tag");
}

#[test]
fn head_returns_only_the_headers() {
    let app = TestApp::start(&[]);
    let (get, head) =
        (app.request("GET", "/concerts/query", &[]), app.request("HEAD", "/concerts/query", &[]));
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    for header in ["etag", "content-type", "content-length", "x-total-count"] {
        assert_eq!(head.header(header), get.header(header), "{header}");
    }
}
