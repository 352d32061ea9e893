//! The table of problems, as `docs/http-errors.md` shows it.

use std::fmt::Write as _;
use std::time::Duration;

use domain::PortErrorKind;
use domain::queue::{
    Difficulty, JoinPuzzle, Line, Outlook, PuzzleRejected, QueueNumber, Standing, VacantNumbers,
    WaitLimit,
};

use super::answer::Answer;
use super::{Failure, Problem};
use crate::puzzle::PuzzleDemand;
use crate::time::ceil_seconds;

/// Who is told what, and when; one line a problem.
fn rows() -> Vec<(Problem, &'static str)> {
    let mut rows = vec![
        (
            Problem::BadUserId,
            "`{userId}` in the path is not a positive 63-bit integer in plain digits",
        ),
        (
            Problem::BadConcertId,
            "`{concertId}` in the path is not a positive 63-bit integer in plain digits",
        ),
        (Problem::BadPage, "`page` is `0`, negative, no integer, above 4294967295, or given twice"),
        (Problem::BodyUnreadable, "the body broke off, or its transfer coding is broken"),
        (Problem::TokenRepeated, "there is more than one `waitingToken` header"),
        (Problem::TokenMissing, "a route that needs a token got no `waitingToken` header"),
        (
            Problem::TokenInvalid,
            "the token is altered, cut, made up, signed with a retired key, of another queue, or of an earlier life of this one",
        ),
    ];
    rows.extend(not_your_turn());
    rows.extend([
        (Problem::RouteNotFound, "nothing is at this path; no path here contains a percent sign"),
        (Problem::ConcertNotFound, "no concert has this id"),
        (
            Problem::MethodNotAllowed("GET, HEAD"),
            "the path is there, the method is not; `Allow` lists those that are",
        ),
        (Problem::BodyTimedOut, "the body did not come whole within `http.client_timeout` of the head"),
        (Problem::PlaceGone, "the call lapsed, the session ended, the place was given back, or the token is older than `queue.token_ttl`"),
        (Problem::BodyTooLarge(4_096), "the body is longer than `http.max_body_bytes`"),
        (
            Problem::HeadersTooLarge(16_384),
            "address and headers together are longer than `http.max_header_bytes`",
        ),
    ]);
    rows.extend(puzzles());
    rows.extend([
        (
            Problem::TooManyRequests(Duration::from_secs(1)),
            "the user, the address or the holder of the queue number asks for more than `overload.per_user`, `overload.per_address`, `overload.joining_per_address` or `overload.polling` allows; which of them is not told",
        ),
        (Problem::Internal, "a mistake of ours; the log has the request's id"),
        (Problem::LineFull(Duration::from_secs(1)), "`queue.policy.max_waiting` numbers wait already"),
        (dependency_down(), "a store is down, too slow, asked by too many at once, does not do this for now, or is left alone for a while after it failed too often"),
        (
            Problem::Overloaded,
            "as many requests of this class are at work as may be (`overload.joining`, `overload.asking`, `overload.reading`), and it did not get better in a short wait",
        ),
        (Problem::TimedOut, "no answer within `http.request_timeout`"),
    ]);
    rows
}

fn dependency_down() -> Problem {
    let kind = PortErrorKind::Unavailable;
    Problem::DependencyDown(Failure { dependency: "store", kind, cause: None, retry_in: None })
}

fn not_your_turn() -> Option<(Problem, &'static str)> {
    let number = QueueNumber::new(120).ok()?;
    let outlook = Outlook {
        number,
        standing: Standing::Waiting,
        is_stale: false,
        position: VacantNumbers::default().position_of(number, Line::new(120, 100)),
        eta: Duration::from_secs(1),
        wait_limit: Some(WaitLimit::Rate),
        expires_at: None,
        poll_after: Some(Duration::from_secs(1)),
    };
    Some((
        Problem::NotYourTurn(outlook),
        "the token is good, the person has not been called; the body has position and times",
    ))
}

/// Why a puzzle is asked for, each reason with its case.
const PUZZLES: [(Option<PuzzleRejected>, &str); 9] = [
    (
        None,
        "joining takes a solved puzzle (`queue.join_puzzle`): the body has `puzzle`, `bits`, `iterations` and `parts`, and the client joins again with the header `joinPuzzle` ([guide](guide/join-puzzle.md)). With each of the following there is a fresh puzzle too",
    ),
    (
        Some(PuzzleRejected::Malformed),
        "`joinPuzzle` is no puzzle with counters behind a dot, in plain digits with commas between, or there are two",
    ),
    (Some(PuzzleRejected::NotOurs), "the puzzle is altered, made up, or signed with a retired key"),
    (Some(PuzzleRejected::OtherQueue), "the puzzle is of another queue"),
    (Some(PuzzleRejected::OtherUser), "the puzzle is of another user"),
    (Some(PuzzleRejected::Expired), "the puzzle is older than a minute"),
    (Some(PuzzleRejected::TooEasy), "the puzzle has fewer bits than `queue.puzzle.min_bits`"),
    (
        Some(PuzzleRejected::WrongParts),
        "the counters are not `parts` many, or one is not higher than the one before",
    ),
    (Some(PuzzleRejected::Unsolved), "the hash of a counter does not begin with `bits` zero bits"),
];

fn puzzles() -> Vec<(Problem, &'static str)> {
    let Ok(difficulty) = Difficulty::new(1) else { return Vec::new() };
    let puzzle = JoinPuzzle { text: String::new(), difficulty, iterations: 1, parts: 1 };
    let demand = |rejected| Box::new(PuzzleDemand { puzzle: puzzle.clone(), rejected });
    PUZZLES.map(|(rejected, when)| (Problem::PuzzleRequired(demand(rejected)), when)).into()
}

/// The table as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (problem, when) in rows() {
        let Answer { status, code, korean, english, retry_after } = problem.answer();
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

Printed from the one map in `crates/adapter-http/src/problem/answer.rs` by `cargo xtask docs`; a test keeps it current.

Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, and besides them `code`
(stable, for programs), `message` (for people, Korean unless `Accept-Language` prefers English) and `requestId`. What
the HTTP library refuses before it is a request is answered with a bare status: 400 for what is not HTTP or has a broken
`Content-Length`, 408 for a head that takes longer than `http.client_timeout`, 431 for more than 96 headers or a head
above 128 KiB.

| status | code | when | `Retry-After` | message (ko) | message (en) |
|---|---|---|---|---|---|
";
