//! What the service depends on and has to do without at the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use domain::PortErrorKind;

/// The dependencies that are down, by name. Shared by whoever finds out and whoever tells; locked for a moment only.
#[derive(Clone, Debug, Default)]
pub struct Outages(Arc<RwLock<BTreeMap<&'static str, PortErrorKind>>>);

impl Outages {
    /// A dependency is down, in this way.
    pub fn begin(&self, dependency: &'static str, kind: PortErrorKind) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(dependency, kind);
    }

    /// A dependency is there.
    pub fn end(&self, dependency: &'static str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(dependency);
    }

    /// Whether a dependency is down.
    #[must_use]
    pub fn is_down(&self, dependency: &str) -> bool {
        self.now().contains_key(dependency)
    }

    pub(crate) fn now(&self) -> RwLockReadGuard<'_, BTreeMap<&'static str, PortErrorKind>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
