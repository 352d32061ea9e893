//! Everything that can go wrong, and the one map from it to an answer.

mod answer;
mod body;
pub(crate) mod reference;

pub(crate) use body::Rendered;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use domain::concert::{InvalidConcertId, InvalidPage};
use domain::queue::{InvalidUserId, Outlook, QueueError};
use domain::{PortError, PortErrorKind};

use crate::language::Language;
use crate::puzzle::PuzzleDemand;

/// What is told operators of a dependency's failure, and nobody else.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who failed, as an operator knows it.
    pub dependency: &'static str,
    /// How it failed.
    pub kind: PortErrorKind,
    /// What it said.
    pub cause: Option<String>,
    /// When trying again makes sense, where somebody knows.
    pub retry_in: Option<Duration>,
}

/// A refused or failed request. `problem/answer.rs` says what each variant is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// The path's user id is none.
    BadUserId,
    /// The path's concert id is none.
    BadConcertId,
    /// The query's page is none.
    BadPage,
    /// No `waitingToken` header.
    TokenMissing,
    /// More than one `waitingToken` header.
    TokenRepeated,
    /// A text that is not accepted as a token.
    TokenInvalid,
    /// A good token whose turn has not come.
    NotYourTurn(Outlook),
    /// No such concert.
    ConcertNotFound,
    /// No such route.
    RouteNotFound,
    /// A route, but not for this method; the methods it is for.
    MethodNotAllowed(&'static str),
    /// A join without a puzzle solved, or with a solution that is not accepted.
    PuzzleRequired(Box<PuzzleDemand>),
    /// A place that was good once.
    PlaceGone,
    /// A body longer than this many bytes.
    BodyTooLarge(usize),
    /// A body that broke off or could not be read.
    BodyUnreadable,
    /// A body that did not come within the caller's time.
    BodyTimedOut,
    /// Headers longer than this many bytes together.
    HeadersTooLarge(usize),
    /// The line takes nobody; worth another try after so long.
    LineFull(Duration),
    /// A dependency failed; why is for the log.
    DependencyDown(Failure),
    /// Somebody asks for more than their share; worth another try after so long.
    TooManyRequests(Duration),
    /// As many are at work as may be, and nobody may wait longer.
    Overloaded,
    /// No answer within the time limit.
    TimedOut,
    /// A mistake of ours.
    Internal,
}

impl Problem {
    /// What failed behind it, if a dependency did.
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
            QueueError::NotYet(outlook) => Self::NotYourTurn(outlook),
            QueueError::Gone => Self::PlaceGone,
            QueueError::LineFull { retry_after } => Self::LineFull(retry_after),
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

    /// Without the request at hand; the edge replaces it by one in the caller's language and with the request's id.
    fn error_response(&self) -> HttpResponse {
        body::render(self, &self.answer(), Language::Korean, None)
    }
}
