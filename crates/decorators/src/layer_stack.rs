//! Layers around a port.

use std::sync::Arc;

use crate::instrumented::{Observable, Observer};
use crate::layer::{Layer, Layerable};

/// Layers around a port, listed from the adapter outwards.
pub struct LayerStack<P: ?Sized>(Arc<P>);

impl<P: ?Sized> LayerStack<P> {
    /// Starts with the adapter, the innermost layer.
    #[must_use]
    pub fn on(port: Arc<P>) -> Self {
        Self(port)
    }

    /// Adds the next outer layer, if there is one.
    #[must_use]
    pub fn with<G: Layer>(self, layer: Option<G>) -> Self
    where
        P: Layerable,
    {
        match layer {
            Some(layer) => Self(self.0.wrap(layer)),
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
