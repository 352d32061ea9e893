//! Maps problems to responses.

use std::time::Duration;

use actix_web::http::StatusCode;
use domain::queue::PuzzleRejected;

use super::Problem;

/// Status, code and messages of a problem.
#[derive(Debug)]
pub(crate) struct ProblemSpec {
    pub(crate) status: StatusCode,
    /// Stable identifier for programs.
    pub(crate) code: &'static str,
    pub(crate) korean: String,
    pub(crate) english: String,
    pub(crate) retry_after: Option<Duration>,
}

/// Part of every 429 and 503 message: "Please try again shortly".
const TRY_AGAIN_KOREAN: &str = "잠시 후 다시 시도해 주세요.";
const TRY_AGAIN_ENGLISH: &str = "Please try again shortly.";
/// `Retry-After` for failures of unknown duration.
const SHORTLY: Duration = Duration::from_secs(1);

impl Problem {
    /// Status, code, messages and `Retry-After` of this problem.
    pub(crate) fn answer(&self) -> ProblemSpec {
        match self {
            Self::BadUserId => ProblemSpec::new(
                StatusCode::BAD_REQUEST,
                "BAD_USER_ID",
                "userId는 1부터 9223372036854775807까지의 정수여야 합니다.",
                "userId must be a whole number from 1 to 9223372036854775807, in decimal digits.",
            ),
            Self::BadConcertId => ProblemSpec::new(
                StatusCode::BAD_REQUEST,
                "BAD_CONCERT_ID",
                "concertId는 1부터 9223372036854775807까지의 정수여야 합니다.",
                "concertId must be a whole number from 1 to 9223372036854775807, in decimal digits.",
            ),
            Self::BadPage => ProblemSpec::new(
                StatusCode::BAD_REQUEST,
                "BAD_PAGE",
                "page는 1부터 4294967295까지의 정수여야 합니다.",
                "page must be a whole number from 1 to 4294967295, in decimal digits, given at most once.",
            ),
            Self::TokenMissing => ProblemSpec::new(
                StatusCode::UNAUTHORIZED,
                "TOKEN_MISSING",
                "waitingToken 헤더가 필요합니다.",
                "The waitingToken header is required.",
            ),
            Self::TokenRepeated => ProblemSpec::new(
                StatusCode::BAD_REQUEST,
                "TOKEN_REPEATED",
                "waitingToken 헤더는 한 번만 보낼 수 있습니다.",
                "The waitingToken header may be given only once.",
            ),
            Self::TokenInvalid => ProblemSpec::new(
                StatusCode::UNAUTHORIZED,
                "TOKEN_INVALID",
                "유효하지 않은 대기열 토큰입니다.",
                "The waiting token is not valid here.",
            ),
            Self::NotYourTurn(status) => ProblemSpec::new(
                StatusCode::FORBIDDEN,
                "NOT_YOUR_TURN",
                &format!(
                    "아직 순서가 아닙니다. 현재 대기 순번은 {}번입니다.",
                    status.position.get()
                ),
                &format!("It is not your turn yet. Your position is {}.", status.position.get()),
            )
            .retry_after(status.poll_after.unwrap_or(SHORTLY)),
            Self::ConcertNotFound => ProblemSpec::new(
                StatusCode::NOT_FOUND,
                "CONCERT_NOT_FOUND",
                "해당 콘서트를 찾을 수 없습니다.",
                "There is no such concert.",
            ),
            Self::RouteNotFound => ProblemSpec::new(
                StatusCode::NOT_FOUND,
                "ROUTE_NOT_FOUND",
                "요청한 경로를 찾을 수 없습니다.",
                "There is nothing at this path.",
            ),
            Self::MethodNotAllowed(allowed) => ProblemSpec::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                &format!("이 경로는 {allowed} 요청만 지원합니다."),
                &format!("This path answers {allowed} only."),
            ),
            Self::PuzzleRequired(demand) => puzzle(demand.rejected),
            Self::PlaceGone => ProblemSpec::new(
                StatusCode::GONE,
                "PLACE_GONE",
                "대기 순서 또는 입장 시간이 만료되었습니다. 다시 대기열에 참여해 주세요.",
                "Your place or session has ended. Please join the line again.",
            ),
            Self::BodyTooLarge(limit) => ProblemSpec::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "BODY_TOO_LARGE",
                &format!("요청 본문은 최대 {limit}바이트입니다."),
                &format!("A request body may have at most {limit} bytes."),
            ),
            Self::BodyUnreadable => ProblemSpec::new(
                StatusCode::BAD_REQUEST,
                "BODY_UNREADABLE",
                "요청 본문을 읽을 수 없습니다.",
                "The request body could not be read.",
            ),
            Self::BodyTimedOut => ProblemSpec::new(
                StatusCode::REQUEST_TIMEOUT,
                "BODY_TIMED_OUT",
                "요청 본문이 제때 도착하지 않았습니다.",
                "The request body did not arrive in time.",
            ),
            Self::HeadersTooLarge(limit) => ProblemSpec::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "HEADERS_TOO_LARGE",
                &format!("요청 헤더와 주소는 모두 합해 최대 {limit}바이트입니다."),
                &format!("Address and headers together may have at most {limit} bytes."),
            ),
            Self::QueueFull(retry_after) => ProblemSpec::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "LINE_FULL",
                &format!("대기열이 가득 찼습니다. {TRY_AGAIN_KOREAN}"),
                &format!("The line is full. {TRY_AGAIN_ENGLISH}"),
            )
            .retry_after(*retry_after),
            Self::TooManyRequests(wait) => ProblemSpec::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_REQUESTS",
                &format!("요청이 너무 많습니다. {TRY_AGAIN_KOREAN}"),
                &format!("Too many requests. {TRY_AGAIN_ENGLISH}"),
            )
            .retry_after(*wait),
            Self::Overloaded => ProblemSpec::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "OVERLOADED",
                &format!("지금은 이용자가 너무 많습니다. {TRY_AGAIN_KOREAN}"),
                &format!("Too many people are here at the moment. {TRY_AGAIN_ENGLISH}"),
            )
            .retry_after(SHORTLY),
            Self::DependencyDown(failure) => ProblemSpec::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "STORE_UNAVAILABLE",
                TRY_AGAIN_KOREAN,
                TRY_AGAIN_ENGLISH,
            )
            .retry_after(failure.retry_in.unwrap_or(SHORTLY)),
            Self::TimedOut => ProblemSpec::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "TIMED_OUT",
                &format!("응답 시간이 초과되었습니다. {TRY_AGAIN_KOREAN}"),
                &format!("The answer took too long. {TRY_AGAIN_ENGLISH}"),
            )
            .retry_after(SHORTLY),
            Self::Internal => ProblemSpec::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "알 수 없는 오류가 발생했습니다.",
                "Something went wrong on our side.",
            ),
        }
    }
}

/// Each reason has its own code and messages; the puzzle to solve is in the body.
fn puzzle(rejected: Option<PuzzleRejected>) -> ProblemSpec {
    let (code, korean, english) = match rejected {
        None => (
            "PUZZLE_REQUIRED",
            "대기열에 참여하려면 먼저 퍼즐을 풀어야 합니다.",
            "Joining takes a solved puzzle. Please solve the one given here and join again.",
        ),
        Some(PuzzleRejected::Malformed) => (
            "PUZZLE_MALFORMED",
            "퍼즐 풀이의 형식이 올바르지 않습니다. 새 퍼즐을 풀어 주세요.",
            "The joinPuzzle header is not a puzzle with its solution. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::NotOurs) => (
            "PUZZLE_NOT_OURS",
            "이 서비스에서 발급한 퍼즐이 아닙니다. 새 퍼즐을 풀어 주세요.",
            "The puzzle was altered or not issued here. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::OtherQueue) => (
            "PUZZLE_OTHER_QUEUE",
            "다른 대기열의 퍼즐입니다. 새 퍼즐을 풀어 주세요.",
            "The puzzle belongs to another queue. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::OtherUser) => (
            "PUZZLE_OTHER_USER",
            "다른 이용자의 퍼즐입니다. 새 퍼즐을 풀어 주세요.",
            "The puzzle belongs to another user. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::Expired) => (
            "PUZZLE_EXPIRED",
            "퍼즐의 유효 시간이 지났습니다. 새 퍼즐을 풀어 주세요.",
            "The puzzle has expired. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::TooEasy) => (
            "PUZZLE_TOO_EASY",
            "퍼즐의 난이도가 너무 낮습니다. 새 퍼즐을 풀어 주세요.",
            "The puzzle is easier than any that is asked for. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::WrongParts) => (
            "PUZZLE_WRONG_PARTS",
            "퍼즐 풀이의 개수나 순서가 올바르지 않습니다. 새 퍼즐을 풀어 주세요.",
            "The solution needs as many different counters as asked for, ascending. Please solve the new puzzle.",
        ),
        Some(PuzzleRejected::Unsolved) => (
            "PUZZLE_UNSOLVED",
            "퍼즐 풀이가 틀렸습니다. 새 퍼즐을 풀어 주세요.",
            "The solution is wrong. Please solve the new puzzle.",
        ),
    };
    ProblemSpec::new(StatusCode::PRECONDITION_REQUIRED, code, korean, english)
}

impl ProblemSpec {
    fn new(status: StatusCode, code: &'static str, korean: &str, english: &str) -> Self {
        Self {
            status,
            code,
            korean: korean.to_owned(),
            english: english.to_owned(),
            retry_after: None,
        }
    }

    fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}
