//! `/readyz/node`: whether this node alone can serve visitors. `/readyz` stays ready while a store
//! is down, because a shared store takes all nodes down together. A load balancer that compares the
//! nodes' answers can distinguish one node that is cut off from a shared outage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use domain::{Clock, Dependency, Timestamp};

use super::{HealthBody, Ops, OutageBody, answer, respond};
use crate::dependency_health::DependencyHealth;
use crate::lifecycle::Phase;

/// Tracks how long the stores that visitors need have been down on this node. Clones share the
/// state, which is locked only briefly.
#[derive(Clone)]
pub struct NodeReadiness(Arc<Inner>);

struct Inner {
    dependency_health: DependencyHealth,
    /// The dependencies that visitors need.
    needed: Vec<Dependency>,
    grace: Duration,
    clock: Arc<dyn Clock>,
    since: Mutex<BTreeMap<Dependency, Timestamp>>,
}

impl NodeReadiness {
    /// Only outages of `needed` count, and only those that last longer than `grace` by this clock,
    /// which must be monotonic.
    #[must_use]
    pub fn new(
        dependency_health: DependencyHealth,
        needed: Vec<Dependency>,
        grace: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner { dependency_health, needed, grace, clock, since: Mutex::default() }))
    }

    /// Records the dependencies that are down now. Call it more often than the grace time: an
    /// outage starts with the first call that sees it, and ends with the first that does not.
    pub fn observe(&self) {
        let Inner { dependency_health, needed, clock, since, .. } = &*self.0;
        let now = clock.now();
        let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
        for &dependency in needed {
            if dependency_health.is_down(dependency) {
                since.entry(dependency).or_insert(now);
            } else {
                since.remove(&dependency);
            }
        }
    }

    /// Whether a needed dependency has been down for longer than the grace time.
    pub(super) fn is_cut_off(&self) -> bool {
        let Inner { dependency_health, grace, clock, since, .. } = &*self.0;
        let now = clock.now();
        let lasts =
            |begin: Timestamp| Duration::try_from(now.duration_since(begin)).unwrap_or_default();
        let since = since.lock().unwrap_or_else(PoisonError::into_inner);
        since.iter().any(|(dependency, begin)| {
            dependency_health.is_down(*dependency) && lasts(*begin) >= *grace
        })
    }

    /// The needed dependencies that are down, for any time.
    fn down(&self) -> Vec<OutageBody> {
        let now = self.0.dependency_health.now();
        let needed = now.iter().filter(|(dependency, _)| self.0.needed.contains(dependency));
        needed.map(OutageBody::from).collect()
    }
}

/// Whether this node alone can serve visitors.
pub(super) async fn show(ops: Data<Ops>) -> HttpResponse {
    match ops.lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Draining => answer(false, "draining"),
        Phase::Serving => {
            let down = ops.node.down();
            let (code, status) = if ops.node.is_cut_off() {
                (StatusCode::SERVICE_UNAVAILABLE, "cut-off")
            } else if down.is_empty() {
                (StatusCode::OK, "ready")
            } else {
                (StatusCode::OK, "degraded")
            };
            respond(code, HealthBody { status, down })
        }
    }
}

#[cfg(test)]
mod tests {
    use adapter_memory::ManualClock;
    use domain::PortErrorKind;

    use super::*;

    const GRACE: Duration = Duration::from_secs(2);
    const MOMENT: Duration = Duration::from_millis(100);

    struct Node {
        dependency_health: DependencyHealth,
        clock: Arc<ManualClock>,
        readiness: NodeReadiness,
    }

    impl Node {
        fn new() -> Self {
            let (dependency_health, clock) =
                (DependencyHealth::default(), Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)));
            let needed = vec![Dependency::REDIS, Dependency::POSTGRES];
            let readiness = NodeReadiness::new(
                dependency_health.clone(),
                needed,
                GRACE,
                Arc::clone(&clock) as _,
            );
            Self { dependency_health, clock, readiness }
        }

        /// Whether the node is cut off after this time, with regular calls to `observe`.
        fn after(&self, time: Duration) -> bool {
            let end = self.clock.now().saturating_add(time).unwrap();
            self.readiness.observe();
            while self.clock.now() < end {
                self.clock.advance(MOMENT);
                self.readiness.observe();
            }
            self.readiness.is_cut_off()
        }
    }

    #[test]
    fn a_node_is_cut_off_when_a_needed_store_is_down_for_the_grace_time() {
        let node = Node::new();
        assert!(!node.after(GRACE));
        node.dependency_health.begin(Dependency::POSTGRES, PortErrorKind::Unavailable);
        assert!(!node.after(GRACE - MOMENT));
        assert!(node.after(MOMENT));
        assert_eq!(node.readiness.down().len(), 1);
        node.dependency_health.end(Dependency::POSTGRES);
        assert!(!node.readiness.is_cut_off(), "it recovers at once");
        assert!(!node.after(GRACE));
    }

    #[test]
    fn outages_of_other_dependencies_do_not_count() {
        let node = Node::new();
        node.dependency_health.begin(Dependency::CACHE_REDIS, PortErrorKind::Unavailable);
        assert!(!node.after(GRACE * 10));
        assert!(node.readiness.down().is_empty());
    }

    #[test]
    fn outages_that_end_in_time_do_not_add_up() {
        let node = Node::new();
        for _ in 0..5 {
            node.dependency_health.begin(Dependency::REDIS, PortErrorKind::Timeout);
            assert!(!node.after(GRACE - MOMENT));
            node.dependency_health.end(Dependency::REDIS);
            assert!(!node.after(MOMENT));
        }
        // A second outage that begins during the first has its own grace time.
        node.dependency_health.begin(Dependency::REDIS, PortErrorKind::Timeout);
        assert!(!node.after(GRACE / 2));
        node.dependency_health.begin(Dependency::POSTGRES, PortErrorKind::Timeout);
        node.dependency_health.end(Dependency::REDIS);
        assert!(!node.after(GRACE - MOMENT));
        assert!(node.after(MOMENT));
    }
}
