//! Says when each problem occurs, for the table in `docs/http-errors.md` and for the description of
//! the API.

use std::fmt::Write as _;
use std::time::Duration;

use domain::queue::{
    Difficulty, JoinPuzzle, PlaceStatus, PuzzleRejected, QueueCounters, QueueNumber, QueueStatus,
    VacantNumbers, WaitLimit,
};
use domain::{Dependency, PortErrorKind};

use super::spec::ProblemSpec;
use super::{Failure, Problem, PuzzleDemand};
use crate::time::ceil_seconds;

/// One row for each problem: an example of it, and when it occurs.
pub(crate) fn rows() -> Vec<(Problem, &'static str)> {
    let mut rows = vec![
        (
            Problem::BadUserId,
            "`{userId}` in the path is not a positive 63-bit integer in plain digits",
        ),
        (
            Problem::BadConcertId,
            "`{concertId}` in the path is not a positive 63-bit integer in plain digits",
        ),
        (
            Problem::BadPage,
            "`page` is `0`, negative, not an integer, above 4294967295, or given twice",
        ),
        (Problem::BodyUnreadable, "the body was cut off, or its transfer coding is invalid"),
        (Problem::TokenRepeated, "the request has more than one `waitingToken` header"),
        (Problem::TokenMissing, "the route needs a `waitingToken` header and the request has none"),
        (
            Problem::TokenInvalid,
            "the token is altered, truncated, made up, signed with a retired key, or from another queue or an earlier incarnation of this one",
        ),
    ];
    rows.extend(not_your_turn());
    rows.extend([
        (Problem::RouteNotFound, "the path does not exist; no path of this service contains a percent sign"),
        (Problem::ConcertNotFound, "no concert has this id"),
        (
            Problem::MethodNotAllowed("GET, HEAD"),
            "the path does not support the method; `Allow` lists those it supports",
        ),
        (Problem::BodyTimedOut, "the body was not complete within `http.client_timeout` of the head"),
        (Problem::PlaceGone, "the call lapsed, the session ended, the holder left the queue, or the token is older than `queue.token_ttl`"),
        (Problem::BodyTooLarge(4_096), "the body is longer than `http.max_body_bytes`"),
        (
            Problem::HeadersTooLarge(16_384),
            "request target and headers together are longer than `http.max_header_bytes`",
        ),
    ]);
    rows.extend(puzzles());
    rows.extend([
        (
            Problem::TooManyRequests(Duration::from_secs(1)),
            "the user, the address or the queue number exceeds `overload.per_user`, `overload.per_address`, `overload.joining_per_address` or `overload.polling`; the response does not say which",
        ),
        (Problem::Internal, "a bug in this service; the log has the request's id"),
        (Problem::QueueFull(Duration::from_secs(1)), "`queue.policy.max_waiting` numbers are already waiting"),
        (dependency_down(), "a store is down, too slow or temporarily not ready, its bulkhead is full, or its circuit breaker is open"),
        (
            Problem::Overloaded,
            "the limit on requests in flight of this class (`overload.joining`, `overload.asking`, `overload.reading`) is reached, and no permit was released in the short time that a request may wait",
        ),
        (Problem::TimedOut, "the request took longer than `http.request_timeout`"),
    ]);
    rows
}

fn dependency_down() -> Problem {
    let kind = PortErrorKind::Unavailable;
    Problem::DependencyDown(Failure {
        dependency: Dependency::QUEUE,
        kind,
        cause: None,
        retry_in: None,
    })
}

fn not_your_turn() -> Option<(Problem, &'static str)> {
    let number = QueueNumber::new(120).ok()?;
    let status = QueueStatus {
        number,
        place_status: PlaceStatus::Waiting,
        is_stale: false,
        position: VacantNumbers::default().position_of(number, QueueCounters::new(120, 100)),
        eta: Duration::from_secs(1),
        wait_limit: Some(WaitLimit::Rate),
        expires_at: None,
        poll_after: Some(Duration::from_secs(1)),
    };
    Some((
        Problem::NotYourTurn(status),
        "the token is valid, but its number has not been called; the body has the position and times",
    ))
}

/// Reasons for requiring a puzzle, and when each occurs.
const PUZZLES: [(Option<PuzzleRejected>, &str); 9] = [
    (
        None,
        "joining requires a solved puzzle (`queue.join_puzzle`): the body has `puzzle`, `bits`, `iterations` and `parts`, and the client joins again with the header `joinPuzzle` ([guide](guide/join-puzzle.md)). Each of the following responses has a new puzzle too",
    ),
    (
        Some(PuzzleRejected::Malformed),
        "`joinPuzzle` is not a puzzle followed by a dot and comma-separated decimal counters, or is given twice",
    ),
    (Some(PuzzleRejected::NotOurs), "the puzzle is altered, made up, or signed with a retired key"),
    (Some(PuzzleRejected::OtherQueue), "the puzzle is from another queue"),
    (Some(PuzzleRejected::OtherUser), "the puzzle was issued to another user"),
    (Some(PuzzleRejected::Expired), "the puzzle is older than a minute"),
    (Some(PuzzleRejected::TooEasy), "the puzzle has fewer bits than `queue.puzzle.min_bits`"),
    (
        Some(PuzzleRejected::WrongParts),
        "there are not exactly `parts` counters, or they are not in ascending order",
    ),
    (Some(PuzzleRejected::Unsolved), "the hash of a counter does not begin with `bits` zero bits"),
];

fn puzzles() -> Vec<(Problem, &'static str)> {
    let Ok(difficulty) = Difficulty::new(10) else { return Vec::new() };
    let text = "AQZtYWluAAAAAAAAAAEBnK2qVgCb3vGm2kq0c1pXQyT7uYwHk0aL".to_owned();
    let puzzle = JoinPuzzle { text, difficulty, iterations: 200, parts: 2 };
    let demand = |rejected| Box::new(PuzzleDemand { puzzle: puzzle.clone(), rejected });
    PUZZLES.map(|(rejected, when)| (Problem::PuzzleRequired(demand(rejected)), when)).into()
}

/// The table as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (problem, when) in rows() {
        let ProblemSpec { status, code, korean, english, retry_after } = problem.answer();
        let wait = retry_after.map_or_else(
            || "no".to_owned(),
            |wait| format!("{} s or more", ceil_seconds(wait).max(1)),
        );
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | `{code}` | {when} | {wait} | {korean} | {english} |",
            status.as_u16()
        );
    }
    text
}

const INTRODUCTION: &str = "\
# HTTP errors

Generated from `crates/adapter-http/src/problem/spec.rs` by `cargo xtask docs`; a test keeps it
current.

Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status` and `detail`,
and in addition `code` (stable, for programs), `message` (for people, Korean unless
`Accept-Language` prefers English) and `requestId`. The HTTP library refuses invalid input with a
bare status before there is a request: 400 for malformed HTTP or a broken `Content-Length`, 408 for
a head that takes longer than `http.client_timeout`, 431 for more than 96 headers or a head above
128 KiB.

| status | code | when | `Retry-After` | message (ko) | message (en) |
|---|---|---|---|---|---|
";
