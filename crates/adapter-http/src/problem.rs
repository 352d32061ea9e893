//! Every problem a request can end with, and the mapping to its response.

mod body;
mod by_route;
pub(crate) mod reference;
mod spec;

pub(crate) use body::{ProblemBody, ProblemResponse};
pub(crate) use by_route::codes_of;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use domain::concert::{InvalidConcertId, InvalidPage};
use domain::queue::{InvalidUserId, JoinPuzzle, PuzzleRejected, QueueError, QueueStatus};
use domain::{Dependency, PortError, PortErrorKind};

use crate::language::Language;

/// A dependency's failure as reported to operators; clients never see it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Name of the dependency.
    pub dependency: Dependency,
    /// Kind of failure.
    pub kind: PortErrorKind,
    /// The dependency's error message.
    pub cause: Option<String>,
    /// When a retry makes sense, if known.
    pub retry_in: Option<Duration>,
}

/// A puzzle to solve, and why the previous solution was rejected.
#[derive(Clone, Debug)]
pub(crate) struct PuzzleDemand {
    pub(crate) puzzle: JoinPuzzle,
    pub(crate) rejected: Option<PuzzleRejected>,
}

/// A refused or failed request. `problem/spec.rs` maps each variant to its response.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// The user id in the path is invalid.
    BadUserId,
    /// The concert id in the path is invalid.
    BadConcertId,
    /// The page in the query is invalid.
    BadPage,
    /// The `waitingToken` header is missing.
    TokenMissing,
    /// More than one `waitingToken` header.
    TokenRepeated,
    /// The token is invalid.
    TokenInvalid,
    /// The token is valid, but its number has not been called.
    NotYourTurn(QueueStatus),
    /// The concert does not exist.
    ConcertNotFound,
    /// The route does not exist.
    RouteNotFound,
    /// The route does not support the method; the methods it supports.
    MethodNotAllowed(&'static str),
    /// A join without a solved puzzle, or with a rejected solution.
    PuzzleRequired(Box<PuzzleDemand>),
    /// The place has expired or was left.
    PlaceGone,
    /// A body longer than this many bytes.
    BodyTooLarge(usize),
    /// A body that was cut off or could not be read.
    BodyUnreadable,
    /// A body that did not arrive in time.
    BodyTimedOut,
    /// Request target and headers longer than this many bytes together.
    HeadersTooLarge(usize),
    /// The queue is full; when to retry.
    QueueFull(Duration),
    /// A dependency failed; the cause is for operators only.
    DependencyDown(Failure),
    /// A rate limit was exceeded; when to retry.
    TooManyRequests(Duration),
    /// The limit on requests in flight is reached, and the request may not wait any longer.
    Overloaded,
    /// The request timed out.
    TimedOut,
    /// A bug.
    Internal,
}

impl Problem {
    /// The failed dependency, if there is one.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        if let Self::DependencyDown(failure) = self { Some(failure) } else { None }
    }
}

impl From<InvalidUserId> for Problem {
    fn from(_: InvalidUserId) -> Self {
        Self::BadUserId
    }
}

impl From<InvalidConcertId> for Problem {
    fn from(_: InvalidConcertId) -> Self {
        Self::BadConcertId
    }
}

impl From<InvalidPage> for Problem {
    fn from(_: InvalidPage) -> Self {
        Self::BadPage
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Forged(_) => Self::TokenInvalid,
            QueueError::NotYet(status) => Self::NotYourTurn(status),
            QueueError::Gone => Self::PlaceGone,
            QueueError::QueueFull { retry_after } => Self::QueueFull(retry_after),
            QueueError::Store(error) => error.into(),
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let (dependency, kind, retry_in) = (error.dependency(), error.kind(), error.retry_in());
        Self::DependencyDown(Failure { dependency, kind, cause, retry_in })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer().code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.answer().status
    }

    /// A response without the request. The middleware replaces it with one in the caller's language
    /// and with the request id.
    fn error_response(&self) -> HttpResponse {
        body::render(self, &self.answer(), Language::Korean, None)
    }
}
