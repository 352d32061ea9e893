//! The configuration of the limits. `adapter-http` tests their behaviour.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::errors::check_shape;
use crate::support::{Answer, LIMIT, TestApp};

const TOO_MANY: (u16, &str) = (429, "TOO_MANY_REQUESTS");

/// The first response that is not 200. On a slow machine the rate may allow further requests first.
fn refused(request: impl Fn() -> Answer) -> Answer {
    std::iter::repeat_with(request).take(100).find(|answer| answer.status != 200).unwrap()
}

#[test]
fn each_limit_is_switched_on_by_its_key_and_refuses_in_the_shape_of_all_errors() {
    let app = TestApp::start(&["overload.per_user.per_second=1", "overload.per_user.burst=2"]);
    let user = refused(|| app.request("POST", "/user/7/queue/token/issue", &[]));
    check_shape(&user, TOO_MANY, "ko", "per user");
    app.join_line(8);

    let app = TestApp::start(&[
        "overload.per_address.per_second=1",
        "overload.per_address.burst=2",
        "overload.address_from=x-forwarded-for",
    ]);
    let from = |address| {
        app.request(
            "GET",
            "/concerts/query",
            &[("x-forwarded-for", address), ("accept-language", "en")],
        )
    };
    check_shape(&refused(|| from("192.0.2.1")), TOO_MANY, "en", "per address");
    assert_eq!(from("192.0.2.2").status, 200);
    for _ in 0..20 {
        assert_eq!(app.ops("/livez").status, 200, "operations have no such limit");
    }

    let app = TestApp::start(&["overload.polling.max_multiple=2", "queue.poll.nearest=10s"]);
    let token = app.token_of(7);
    check_shape(&refused(|| app.query(&token)), TOO_MANY, "ko", "polling");
}

#[test]
fn by_default_one_user_at_one_address_is_not_limited() {
    let app = TestApp::start(&[]);
    let token = app.token_of(7);
    for _ in 0..200 {
        app.join_line(7);
        assert_eq!(app.query(&token).status, 200);
        assert_eq!(app.request("GET", "/concerts/query", &[]).status, 200);
    }
}

#[test]
fn a_limit_of_one_serves_sequential_requests_and_zero_is_unlimited() {
    for limit in [0, 1] {
        let of = |class: &str| format!("overload.{class}.limit={limit}");
        let settings = [of("joining"), of("asking"), of("reading")];
        let app = TestApp::start(&settings.each_ref().map(String::as_str));
        let token = app.token_of(7);
        assert_eq!((app.query(&token).status, app.dates("451", &token).status), (200, 200));
        assert_eq!(app.leave(&token).status, 204);
    }
}

#[test]
fn joining_again_does_not_reset_the_poll_allowance() {
    let app = TestApp::start(&[
        "overload.polling.max_multiple=4",
        "queue.poll.nearest=20s",
        "queue.policy.batch=1",
        "queue.policy.every=1h",
    ]);
    app.join_line(1);
    let fresh = || app.token_of(2);
    let answered = (0..40).filter(|_| app.query(&fresh()).status == 200).count();
    // Five polls at equal intervals; each interval varies by up to a fifth in either direction.
    assert!((4..=8).contains(&answered), "{answered} answered");
    check_shape(&app.query(&fresh()), TOO_MANY, "ko", "polling");
    let reported = (0..40).filter(|_| app.dates("451", &fresh()).status == 403).count();
    assert_eq!(reported, 0, "a request for the dates counts as a poll too");
    let left = fresh();
    assert_eq!(app.leave(&left).status, 204, "leaving does not count as a poll");
}

#[test]
fn polls_of_an_ended_place_are_limited_too() {
    let app = TestApp::start(&["overload.polling.max_multiple=2"]);
    let token = app.token_of(7);
    assert_eq!(app.leave(&token).status, 204);
    assert_eq!(app.query(&token).word("status"), "EXPIRED");
    check_shape(&refused(|| app.query(&token)), TOO_MANY, "ko", "polling");
}

/// The status of a request from this address, according to the proxy's header.
fn from(app: &TestApp, address: &str) -> Answer {
    app.request("GET", "/concerts/query", &[("x-forwarded-for", address)])
}

const SIX_FROM_AN_ADDRESS: [&str; 3] = [
    "overload.per_address.per_second=1",
    "overload.per_address.burst=6",
    "overload.address_from=x-forwarded-for",
];

#[test]
fn one_address_has_one_allowance_however_it_is_written() {
    let app = TestApp::start(&SIX_FROM_AN_ADDRESS);
    let written = |n: u32| match n % 4 {
        0 => format!("2002:c000:207:{n:x}::{n:x}"),
        1 => "64:ff9b::192.0.2.7".to_owned(),
        2 => "::ffff:192.0.2.7".to_owned(),
        _ => "192.0.2.7".to_owned(),
    };
    let answered: Vec<_> = (0..40).filter(|n| from(&app, &written(*n)).status == 200).collect();
    assert!(answered.len() < 10, "{answered:?}");
    for other in ["64:ff9b::192.0.2.8", "2002:c000:209::1", "64:ff9b::192.0.2.10"] {
        assert_eq!(from(&app, other).status, 200, "{other}");
    }
}

#[test]
fn an_ipv6_network_is_limited_at_a_multiple() {
    let app = TestApp::start(&SIX_FROM_AN_ADDRESS);
    let answered = |site: &str, times: u32| {
        (0..times)
            .filter(|n| from(&app, &format!("2001:db8:{site}:{n:x}::1")).status == 200)
            .count()
    };
    let of_the_site = answered("1", 100);
    assert!(
        (24..40).contains(&of_the_site),
        "four times six, and one to four a second: {of_the_site}"
    );
    assert_eq!(answered("2", 10), 10, "another network");
}

#[test]
fn only_the_configured_number_of_proxies_is_trusted() {
    let app =
        TestApp::start(&[SIX_FROM_AN_ADDRESS.as_slice(), &["overload.trusted_hops=2"]].concat());
    let through = |claimed: u32, caller: &str| {
        from(&app, &format!("198.51.100.{claimed}, {caller}, 203.0.113.9"))
    };
    let answered = (0..40).filter(|n| through(*n, "192.0.2.1").status == 200).count();
    assert!(answered < 10, "{answered} answered");
    assert_eq!(through(1, "192.0.2.2").status, 200);
}

#[test]
fn a_request_counts_regardless_of_its_outcome() {
    let app = TestApp::start(
        &[SIX_FROM_AN_ADDRESS.as_slice(), &["http.client_timeout=1s", "http.max_body_bytes=10"]]
            .concat(),
    );
    let large = [b'x'; 11];
    let long = "y".repeat(17_000);
    let empty = &large[..0];
    let cases = [
        (404, "GET", "/nothing", ("x", "y"), empty),
        (404, "GET", "/concerts/quer%79", ("x", "y"), empty),
        (401, "GET", "/user/queue/token/query", ("waitingToken", "forged"), empty),
        (405, "PUT", "/concerts/query", ("x", "y"), empty),
        (413, "POST", "/user/7/queue/token/issue", ("x", "y"), &large[..]),
        (431, "GET", "/concerts/query", ("x", long.as_str()), empty),
    ];
    for (n, (status, method, path, header, body)) in cases.into_iter().enumerate() {
        let address = format!("192.0.2.{n}");
        let headers = [("x-forwarded-for", address.as_str()), header];
        assert_eq!(app.ask_with_body(method, path, &headers, body).status, status);
        let others = || app.ask_with_body(method, path, &headers, body);
        let limited = std::iter::repeat_with(others).take(100).any(|answer| answer.status == 429);
        assert!(limited, "{method} {path}");
    }
    let slow = "POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nHost: x\r\n\
                X-Forwarded-For: 192.0.2.99\r\nContent-Length: 5\r\n\r\n";
    let streams: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = TcpStream::connect(app.public).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.write_all(slow.as_bytes()).unwrap();
            stream
        })
        .collect();
    let statuses = streams.into_iter().map(|mut stream| {
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        std::str::from_utf8(&start[9..]).unwrap().parse::<u16>().unwrap()
    });
    let statuses: Vec<_> = statuses.collect();
    let (slow, limited): (Vec<_>, Vec<_>) = statuses.iter().partition(|status| **status == 408);
    assert!(slow.len() >= 6 && limited.contains(&&429), "{statuses:?}");
}

#[test]
fn joins_are_limited_per_address_except_from_the_proxy_itself() {
    let limit =
        ["overload.joining_per_address.per_second=1", "overload.joining_per_address.burst=3"];
    let app =
        TestApp::start(&[limit.as_slice(), &["overload.address_from=x-forwarded-for"]].concat());
    let users = std::cell::Cell::new(0);
    let join = |address: &str| {
        users.set(users.get() + 1);
        let path = format!("/user/{}/queue/token/issue", users.get());
        app.request("POST", &path, &[("x-forwarded-for", address)])
    };
    for _ in 0..3 {
        assert_eq!(join("192.0.2.1").status, 200);
    }
    check_shape(&refused(|| join("192.0.2.1")), TOO_MANY, "ko", "joining");
    assert_eq!(join("192.0.2.2").status, 200, "another address");
    let token = join("192.0.2.3").word("waitingToken");
    for _ in 0..20 {
        let headers = [("x-forwarded-for", "192.0.2.1"), ("waitingToken", token.as_str())];
        assert_eq!(app.request("GET", "/user/queue/token/query", &headers).status, 200, "no join");
        assert_eq!(from(&app, "192.0.2.1").status, 200, "no join");
        assert_eq!(join("10.1.2.3").status, 200, "a proxy further out");
    }
    let garbage =
        || app.request("POST", "/user/0/queue/token/issue", &[("x-forwarded-for", "192.0.2.4")]);
    assert_eq!(garbage().status, 400);
    assert!(std::iter::repeat_with(garbage).take(100).any(|answer| answer.status == 429));
    let refused_so_far =
        app.ops("/protection").field("overload")["joiningPerAddressRefused"].clone();
    assert_eq!(refused_so_far, 2);

    let app = TestApp::start(
        &[limit.as_slice(), &["overload.joining_per_address.public_only=false"]].concat(),
    );
    check_shape(
        &refused(|| app.request("POST", "/user/7/queue/token/issue", &[])),
        TOO_MANY,
        "ko",
        "joining",
    );
}
