//! Logs every failed request, and a sample of the others.

use domain::PortErrorKind;

use crate::observer::RequestEnd;
use crate::problem::Problem;
use crate::route::Route;

macro_rules! say {
    ($level:ident, $ended:expr, $message:literal) => {
        tracing::event!(
            tracing::Level::$level,
            trace_id = %format_args!("{:032x}", $ended.followed.trace_id),
            request_id = $ended.request_id,
            http_method = $ended.method,
            http_route = $ended.route.map(Route::template),
            http_status = $ended.status,
            error_code = $ended.code,
            dependency = $ended.failure.map(|failure| failure.dependency.as_str()),
            error_kind = $ended.failure.map(|failure| tracing::field::display(failure.kind)),
            error_cause = $ended.failure.and_then(|failure| failure.cause.as_deref()),
            duration_ms = $ended.took.as_secs_f64() * 1e3,
            $message
        )
    };
}

/// Whether the request failed on our side: a bug, a timeout or a dependency.
pub(super) fn is_failure(problem: &Problem) -> bool {
    matches!(weight(problem), Weight::Ours | Weight::Failed | Weight::TurnedAway)
}

/// Logs a completed request at the level its outcome deserves. Errors are logged only here, because
/// they are handled here.
pub(super) fn request(problem: Option<&Problem>, ended: &RequestEnd<'_>, sample: f64) {
    // Entered so that an exported log record carries the trace.
    let _inside = ended.followed.span.enter();
    match problem.map(weight) {
        Some(Weight::Ours) => say!(ERROR, ended, "a request failed with an internal error"),
        Some(Weight::Failed) => say!(WARN, ended, "a request failed"),
        Some(Weight::TurnedAway | Weight::Refused) | None
            if sample > 0.0 && fastrand::f64() < sample =>
        {
            say!(INFO, ended, "a request was answered");
        }
        Some(Weight::TurnedAway | Weight::Refused) => say!(DEBUG, ended, "a request was refused"),
        None => {}
    }
}

enum Weight {
    /// A bug.
    Ours,
    /// The request failed.
    Failed,
    /// The request failed because a dependency refuses all such calls for now. The health check
    /// loop logs that once; a log line per request would cost more than the refusal.
    TurnedAway,
    /// The request was invalid, or was refused to shed load. There can be many, and a log line for
    /// each would cost more than the refusal.
    Refused,
}

fn weight(problem: &Problem) -> Weight {
    match problem {
        Problem::Internal => Weight::Ours,
        Problem::TimedOut => Weight::Failed,
        Problem::DependencyDown(failure) => match failure.kind {
            PortErrorKind::Unavailable | PortErrorKind::Timeout | PortErrorKind::Corrupt => {
                Weight::Failed
            }
            PortErrorKind::NotReady => Weight::TurnedAway,
            PortErrorKind::Overloaded | PortErrorKind::Refused => Weight::Refused,
        },
        Problem::BadUserId
        | Problem::BadConcertId
        | Problem::BadPage
        | Problem::TokenMissing
        | Problem::TokenRepeated
        | Problem::TokenInvalid
        | Problem::NotYourTurn(_)
        | Problem::ConcertNotFound
        | Problem::RouteNotFound
        | Problem::MethodNotAllowed(_)
        | Problem::PuzzleRequired(_)
        | Problem::PlaceGone
        | Problem::BodyTooLarge(_)
        | Problem::BodyUnreadable
        | Problem::BodyTimedOut
        | Problem::HeadersTooLarge(_)
        | Problem::QueueFull(_)
        | Problem::TooManyRequests(_)
        | Problem::Overloaded => Weight::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use domain::Dependency;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;
    use crate::observer::TraceContext;
    use crate::problem::Failure;

    /// Counts the log lines at info level and above.
    struct Lines(Arc<AtomicU32>);

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= Level::INFO
        }

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn failures_are_logged_and_shed_requests_are_not() {
        let failed = |kind| {
            Problem::DependencyDown(Failure {
                dependency: Dependency::QUEUE,
                kind,
                cause: None,
                retry_in: None,
            })
        };
        let followed = TraceContext { span: tracing::Span::none(), trace_id: 7 };
        let ended = RequestEnd {
            method: "GET",
            route: Some(Route::Query),
            status: 503,
            code: None,
            failure: None,
            took: Duration::ZERO,
            request_id: "id",
            followed: &followed,
        };
        for (problem, expected) in [
            (failed(PortErrorKind::Unavailable), 1),
            (failed(PortErrorKind::Timeout), 1),
            (failed(PortErrorKind::Corrupt), 1),
            (Problem::Internal, 1),
            (failed(PortErrorKind::Refused), 0),
            (failed(PortErrorKind::Overloaded), 0),
            (failed(PortErrorKind::NotReady), 0),
            (Problem::Overloaded, 0),
            (Problem::TooManyRequests(Duration::from_secs(1)), 0),
            (Problem::TimedOut, 1),
            (Problem::BodyTimedOut, 0),
            (Problem::BodyUnreadable, 0),
        ] {
            let lines = Arc::new(AtomicU32::new(0));
            tracing::subscriber::with_default(Lines(Arc::clone(&lines)), || {
                request(Some(&problem), &ended, 0.0);
            });
            assert_eq!(lines.load(Ordering::SeqCst), expected, "{problem:?}");
        }
        let lines = Arc::new(AtomicU32::new(0));
        tracing::subscriber::with_default(Lines(Arc::clone(&lines)), || {
            request(None, &ended, 0.0);
            request(None, &ended, 1.0);
            request(Some(&Problem::Overloaded), &ended, 1.0);
        });
        assert_eq!(
            lines.load(Ordering::SeqCst),
            2,
            "a successful request is logged only if sampled"
        );
    }
}
