//! Layers around a port.

use std::sync::Arc;

use crate::guard::{Guard, Guardable};
use crate::observed::{Observable, Observer};

/// Layers around a port, listed from the adapter outwards.
pub struct Stack<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Stack<P> {
    /// Starts with the adapter, the innermost layer.
    #[must_use]
    pub fn on(port: Arc<P>) -> Self {
        Self(port)
    }

    /// Adds the next outer layer, if there is one.
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

    /// Reports calls that reach this layer to the observer, if there is one.
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

    /// Returns the outermost layer, which callers use.
    #[must_use]
    pub fn port(self) -> Arc<P> {
        self.0
    }
}
