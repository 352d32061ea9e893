//! A port wrapped in itself: one mechanism, one layer.

use std::sync::Arc;

use domain::PortError;
use domain::queue::{ClaimError, GiveBackError, JoinError};

use crate::observed::{Observable, Observer};

/// One mechanism that stands between who asks a port and who answers.
pub trait Guard: Send + Sync + 'static {
    /// Asks, or does not. `question` asks once each time it is called; only a guard in front of questions that may be asked
    /// again calls it more than once. The future may be dropped at any point.
    fn ask<T, E, F, A>(&self, question: F) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send;
}

/// An error of a port method. What is no failure is an answer that people do not like, such as "the line is full": the
/// dependency is well.
pub trait PortFailure: From<PortError> + Send {
    /// The failure, if it is one.
    fn failure(&self) -> Option<&PortError>;
}

impl PortFailure for PortError {
    fn failure(&self) -> Option<&PortError> {
        Some(self)
    }
}

impl PortFailure for JoinError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::LineFull | Self::AboveCeiling | Self::ViewBehind => None,
        }
    }
}

impl PortFailure for ClaimError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::NotFound | Self::NotYet | Self::Gone | Self::NotHolder => None,
        }
    }
}

impl PortFailure for GiveBackError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::NotFound | Self::Gone | Self::NotHolder => None,
        }
    }
}

impl<G: Guard> Guard for Arc<G> {
    async fn ask<T, E, F, A>(&self, question: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        G::ask(self, question).await
    }
}

/// A guard, or none.
impl<G: Guard> Guard for Option<G> {
    async fn ask<T, E, F, A>(&self, question: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        match self {
            Some(guard) => guard.ask(question).await,
            None => question().await,
        }
    }
}

/// A port behind a guard. `concert.rs`, `schedule.rs`, `queue.rs` and `cache/guarded.rs` say which of its methods are guarded.
pub struct Guarded<P: ?Sized, G> {
    pub(crate) inner: Arc<P>,
    pub(crate) guard: G,
}

/// A port that can be put behind a guard.
pub trait Guardable: Send + Sync {
    /// The port behind a guard.
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self>;
}

/// Layers around a port, listed from the adapter outwards.
pub struct Stack<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Stack<P> {
    /// The adapter: the innermost.
    #[must_use]
    pub fn on(port: Arc<P>) -> Self {
        Self(port)
    }

    /// One layer further out, or none.
    #[must_use]
    pub fn with<G: Guard>(self, guard: Option<G>) -> Self
    where
        P: Guardable,
    {
        match guard {
            Some(guard) => Self(self.0.behind(guard)),
            None => self,
        }
    }

    /// Heard of from here outwards, or not.
    #[must_use]
    pub fn observed(self, observer: Option<Arc<dyn Observer>>) -> Self
    where
        P: Observable,
    {
        match observer {
            Some(observer) => Self(self.0.observed(observer)),
            None => self,
        }
    }

    /// The port as its callers see it: the outermost layer.
    #[must_use]
    pub fn port(self) -> Arc<P> {
        self.0
    }
}
