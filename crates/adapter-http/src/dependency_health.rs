//! The dependencies that are currently down.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use decorators::instrumented;
use domain::{Dependency, PortError, PortErrorKind};

/// The dependencies that are down. Clones share the map, which is locked only briefly.
#[derive(Clone, Debug, Default)]
pub struct DependencyHealth(Arc<RwLock<BTreeMap<Dependency, Outage>>>);

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
    pub fn begin(&self, dependency: Dependency, kind: PortErrorKind) {
        self.set(dependency, Outage { kind, code: None, cause: None });
    }

    /// Marks a dependency as down with this error.
    pub fn begin_because(&self, dependency: Dependency, error: &PortError) {
        self.set(dependency, error.into());
    }

    fn set(&self, dependency: Dependency, outage: Outage) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(dependency, outage);
    }

    /// Marks a dependency as available.
    pub fn end(&self, dependency: Dependency) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&dependency);
    }

    /// Whether a dependency is down.
    #[must_use]
    pub fn is_down(&self, dependency: Dependency) -> bool {
        self.now().contains_key(&dependency)
    }

    /// Why a dependency is down, as one word of a fixed set: its own code, such as `OOM`, or the
    /// kind of failure. `None` if it is available.
    #[must_use]
    pub fn problem_of(&self, dependency: Dependency) -> Option<&'static str> {
        self.now()
            .get(&dependency)
            .map(|outage| outage.code.unwrap_or(instrumented::word(outage.kind)))
    }

    pub(crate) fn now(&self) -> RwLockReadGuard<'_, BTreeMap<Dependency, Outage>> {
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
            (
                dependency_health.is_down(Dependency::REDIS),
                dependency_health.problem_of(Dependency::REDIS)
            ),
            (false, None)
        );
        let error = PortError::new(PortErrorKind::NotReady, Dependency::REDIS)
            .because("the server refused: OOM");
        dependency_health.begin_because(Dependency::REDIS, &error);
        assert_eq!(
            (
                dependency_health.is_down(Dependency::REDIS),
                dependency_health.problem_of(Dependency::REDIS)
            ),
            (true, Some("not_ready"))
        );
        dependency_health.begin_because(Dependency::REDIS, &error.coded("OOM"));
        assert_eq!(dependency_health.problem_of(Dependency::REDIS), Some("OOM"));
        dependency_health.begin(Dependency::REDIS, PortErrorKind::Timeout);
        assert_eq!(dependency_health.problem_of(Dependency::REDIS), Some("timeout"));
        dependency_health.end(Dependency::REDIS);
        assert_eq!(
            (
                dependency_health.is_down(Dependency::REDIS),
                dependency_health.problem_of(Dependency::REDIS)
            ),
            (false, None)
        );
    }
}
