//! The limits as they are configured. What each does is tested in `adapter-http`.

use crate::errors::check_shape;
use crate::support::{Answer, TestApp};

const TOO_MANY: (u16, &str) = (429, "TOO_MANY_REQUESTS");

/// The first answer that is not 200. A slow machine may get some of a rate between two questions.
fn refused(ask: impl Fn() -> Answer) -> Answer {
    std::iter::repeat_with(ask).take(100).find(|answer| answer.status != 200).unwrap()
}

#[test]
fn each_limit_is_switched_on_by_its_key_and_refuses_in_the_shape_of_all_errors() {
    let app = TestApp::start(&["overload.per_user.per_second=1", "overload.per_user.burst=2"]);
    let user = refused(|| app.ask("POST", "/user/7/queue/token/issue", &[]));
    check_shape(&user, TOO_MANY, "ko", "per user");
    app.join_line(8);

    let app = TestApp::start(&[
        "overload.per_address.per_second=1",
        "overload.per_address.burst=2",
        "overload.address_from=x-forwarded-for",
    ]);
    let from = |address| {
        app.ask("GET", "/concerts/query", &[("x-forwarded-for", address), ("accept-language", "en")])
    };
    check_shape(&refused(|| from("192.0.2.1")), TOO_MANY, "en", "per address");
    assert_eq!(from("192.0.2.2").status, 200);
    for _ in 0..20 {
        assert_eq!(app.ops("/livez").status, 200, "operations have no such limit");
    }

    let app = TestApp::start(&["overload.polling.faster=2", "queue.poll.nearest=10s"]);
    let token = app.token_of(7);
    check_shape(&refused(|| app.query(&token)), TOO_MANY, "ko", "polling");
}

#[test]
fn by_default_one_user_at_one_address_may_do_everything_in_a_tight_loop() {
    let app = TestApp::start(&[]);
    let token = app.token_of(7);
    for _ in 0..200 {
        app.join_line(7);
        assert_eq!(app.query(&token).status, 200);
        assert_eq!(app.ask("GET", "/concerts/query", &[]).status, 200);
    }
}

#[test]
fn a_limit_of_one_at_work_is_enough_for_one_at_a_time_and_zero_is_no_limit() {
    for limit in [0, 1] {
        let of = |class: &str| format!("overload.{class}.limit={limit}");
        let settings = [of("joining"), of("asking"), of("reading")];
        let app = TestApp::start(&settings.each_ref().map(String::as_str));
        let token = app.token_of(7);
        assert_eq!((app.query(&token).status, app.dates("451", &token).status), (200, 200));
        assert_eq!(app.leave(&token).status, 204);
    }
}
