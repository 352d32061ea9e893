//! The dependencies that are currently down.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use decorators::instrumented;
use domain::{PortError, PortErrorKind};

/// The dependencies that are down, by name. Clones share the map, which is locked only briefly.
#[derive(Clone, Debug, Default)]
pub struct DependencyHealth(Arc<RwLock<BTreeMap<&'static str, Outage>>>);

/// The failure of a dependency.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) kind: PortErrorKind,
    /// The dependency's own error code.
    code: Option<&'static str>,
    /// Its error message.
    pub(crate) cause: Option<String>,
}

impl From<&PortError> for Outage {
    fn from(error: &PortError) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            cause: error.source().map(ToString::to_string),
        }
    }
}

impl DependencyHealth {
    /// Marks a dependency as down with this kind of failure.
    pub fn begin(&self, dependency: &'static str, kind: PortErrorKind) {
        self.set(dependency, Outage { kind, code: None, cause: None });
    }

    /// Marks a dependency as down with this error.
    pub fn begin_because(&self, dependency: &'static str, error: &PortError) {
        self.set(dependency, error.into());
    }

    fn set(&self, dependency: &'static str, outage: Outage) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(dependency, outage);
    }

    /// Marks a dependency as available.
    pub fn end(&self, dependency: &'static str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(dependency);
    }

    /// Whether a dependency is down.
    #[must_use]
    pub fn is_down(&self, dependency: &str) -> bool {
        self.now().contains_key(dependency)
    }

    /// Why a dependency is down, as one word of a fixed set: its own code, such as `OOM`, or the
    /// kind of failure. `None` if it is available.
    #[must_use]
    pub fn problem_of(&self, dependency: &str) -> Option<&'static str> {
        self.now()
            .get(dependency)
            .map(|outage| outage.code.unwrap_or(instrumented::word(outage.kind)))
    }

    pub(crate) fn now(&self) -> RwLockReadGuard<'_, BTreeMap<&'static str, Outage>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_reports_the_dependencys_own_code_if_it_has_one() {
        let dependency_health = DependencyHealth::default();
        assert_eq!(
            (dependency_health.is_down("redis"), dependency_health.problem_of("redis")),
            (false, None)
        );
        let error =
            PortError::new(PortErrorKind::NotReady, "redis").because("the server refused: OOM");
        dependency_health.begin_because("redis", &error);
        assert_eq!(
            (dependency_health.is_down("redis"), dependency_health.problem_of("redis")),
            (true, Some("not_ready"))
        );
        dependency_health.begin_because("redis", &error.coded("OOM"));
        assert_eq!(dependency_health.problem_of("redis"), Some("OOM"));
        dependency_health.begin("redis", PortErrorKind::Timeout);
        assert_eq!(dependency_health.problem_of("redis"), Some("timeout"));
        dependency_health.end("redis");
        assert_eq!(
            (dependency_health.is_down("redis"), dependency_health.problem_of("redis")),
            (false, None)
        );
    }
}
