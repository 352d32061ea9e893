//! A port wrapped in itself: one mechanism, one layer.

use std::sync::Arc;

use crate::failure::PortFailure;

/// One protection mechanism between the caller of a port and its implementation.
pub trait Guard: Send + Sync + 'static {
    /// Calls the port, or fails without calling it. Each call of `question` makes one port call;
    /// only a guard around idempotent calls invokes it more than once. The future may be dropped at
    /// any point.
    fn ask<T, E, F, A>(&self, question: F) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send;
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

/// An optional guard; `None` calls the port directly.
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

/// A port behind a guard. `concert.rs`, `schedule.rs`, `queue.rs` and `cache/guarded.rs` define
/// which of its methods are guarded.
pub struct Guarded<P: ?Sized, G> {
    pub(crate) inner: Arc<P>,
    pub(crate) guard: G,
}

/// A port that a guard can wrap.
pub trait Guardable: Send + Sync {
    /// Wraps the port in a guard.
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self>;
}
