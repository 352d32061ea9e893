//! A port wrapped in itself: one mechanism, one layer.

use std::sync::Arc;

use crate::failure::PortFailure;

/// One protection mechanism between the caller of a port and its implementation.
pub trait Layer: Send + Sync + 'static {
    /// Calls the port, or fails without calling it. Each call of `port_call` makes one port call;
    /// only a layer around idempotent calls invokes it more than once. The future may be dropped at
    /// any point.
    fn call<T, E, F, A>(&self, port_call: F) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send;
}

impl<G: Layer> Layer for Arc<G> {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        G::call(self, port_call).await
    }
}

/// An optional layer; `None` calls the port directly.
impl<G: Layer> Layer for Option<G> {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        match self {
            Some(layer) => layer.call(port_call).await,
            None => port_call().await,
        }
    }
}

/// A port behind a layer. `concert.rs`, `schedule.rs`, `queue.rs` and `cache/guarded_store.rs` define
/// which of its methods pass through it.
pub struct Layered<P: ?Sized, G> {
    pub(crate) inner: Arc<P>,
    pub(crate) layer: G,
}

/// A port that a layer can wrap.
pub trait Layerable: Send + Sync {
    /// Wraps the port in a layer.
    fn wrap<G: Layer>(self: Arc<Self>, layer: G) -> Arc<Self>;
}
