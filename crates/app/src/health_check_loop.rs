//! The loop that checks the health of one dependency, so that readiness needs no call to it.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::DependencyHealth;
use decorators::breaker_layer::CircuitBreakerLayer;
use decorators::registry::Registry;
use domain::{Dependency, HealthCheck, PortError, PortErrorKind};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A dependency and the circuit breakers in front of it.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) dependency: Arc<dyn HealthCheck>,
    pub(crate) breakers: Vec<Arc<CircuitBreakerLayer>>,
}

/// Checks the dependency every `every` until `stop` is cancelled, and records the result in
/// `dependency_health`.
pub(crate) async fn keep_checking(
    watched: Watched,
    every: Duration,
    dependency_health: DependencyHealth,
    stop: CancellationToken,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let name = watched.dependency.name();
    let mut health = Health::default();
    let mut last = None;
    let checks = async {
        loop {
            ticks.tick().await;
            health.note(watched.check().await);
            match &health.outage {
                Some(error) => dependency_health.begin_because(name, error),
                None => dependency_health.end(name),
            }
            let cause = health.outage.as_ref().map(cause_of);
            if cause != last {
                report(name, cause.as_deref());
                last = cause;
            }
        }
    };
    stop.run_until_cancelled(checks).await;
}

impl Watched {
    /// The health checks that exist, each with the breakers in front of its dependency. Adapters
    /// that share one dependency may each bring its check; it runs once.
    pub(crate) fn all<'n>(
        checks: impl Iterator<Item = (Option<Arc<dyn HealthCheck>>, &'n [Dependency])>,
        registry: &Registry,
    ) -> Vec<Self> {
        let mut named: BTreeMap<Dependency, (Arc<dyn HealthCheck>, Vec<Dependency>)> =
            BTreeMap::new();
        for (check, breakers) in checks {
            if let Some(check) = check {
                let (_, all) = named.entry(check.name()).or_insert((check, Vec::new()));
                all.extend_from_slice(breakers);
            }
        }
        let watched = |(dependency, breakers): (Arc<dyn HealthCheck>, Vec<Dependency>)| Self {
            dependency,
            breakers: registry.breakers_of(&breakers),
        };
        named.into_values().map(watched).collect()
    }

    /// Checks the dependency. A healthy dependency counts as down while a breaker in front of it
    /// refuses calls, because users cannot reach it.
    async fn check(&self) -> Result<(), PortError> {
        let seen = self.dependency.check().await;
        for breaker in &self.breakers {
            breaker.note_check(seen.as_ref().err().map(PortError::kind));
        }
        seen?;
        match self.breakers.iter().find(|breaker| breaker.refuses()) {
            Some(breaker) => Err(PortError::new(PortErrorKind::Refused, self.dependency.name())
                .because(format!("circuit breaker {} is open", breaker.dependency()))),
            None => Ok(()),
        }
    }
}

/// The state derived from the checks. One failed check marks the dependency as down, and only a
/// number of successful checks in a row marks it as up: a dependency that flaps stays down, so that
/// alerts can fire.
#[derive(Default)]
struct Health {
    outage: Option<PortError>,
    good_in_a_row: u32,
}

/// Successful checks in a row that mark a dependency as up.
const STEADY: u32 = 3;

impl Health {
    fn note(&mut self, seen: Result<(), PortError>) {
        self.good_in_a_row = if seen.is_ok() { self.good_in_a_row.saturating_add(1) } else { 0 };
        match seen {
            Err(error) => self.outage = Some(error),
            Ok(()) if self.good_in_a_row >= STEADY => self.outage = None,
            Ok(()) => {}
        }
    }
}

fn cause_of(error: &PortError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Logs an outage when it begins, when its cause changes, and when it ends.
fn report(dependency: Dependency, cause: Option<&str>) {
    match cause {
        Some(cause) => {
            tracing::error!(
                dependency = dependency.as_str(),
                cause,
                "a dependency is down: what needs it is answered from what was kept, or refused"
            );
        }
        None => tracing::info!(dependency = dependency.as_str(), "a dependency is back"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use decorators::breaker::{Breaker, BreakerSettings, State};
    use decorators::layer::Layer as _;

    use super::*;

    #[derive(Default)]
    struct Switched {
        is_off: AtomicBool,
    }

    #[async_trait]
    impl HealthCheck for Switched {
        fn name(&self) -> Dependency {
            Dependency::named("switched")
        }

        async fn check(&self) -> Result<(), PortError> {
            if self.is_off.load(Ordering::SeqCst) { Err(failure()) } else { Ok(()) }
        }
    }

    fn failure() -> PortError {
        PortError::new(PortErrorKind::Unavailable, Dependency::named("switched"))
    }

    fn breaking() -> Arc<CircuitBreakerLayer> {
        let settings = BreakerSettings { wait_jitter: 0.0, ..BreakerSettings::default() };
        Arc::new(CircuitBreakerLayer::new(
            Dependency::named("calls"),
            Breaker::new(settings, 1).unwrap(),
        ))
    }

    #[test]
    fn a_flapping_dependency_stays_down() {
        let mut health = Health::default();
        health.note(Ok(()));
        assert!(health.outage.is_none(), "up after the first successful check");
        for _ in 0..10 {
            health.note(Err(failure()));
            assert!(health.outage.is_some());
            for _ in 1..STEADY {
                health.note(Ok(()));
                assert!(health.outage.is_some());
            }
        }
        health.note(Ok(()));
        assert!(health.outage.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_behind_an_open_breaker_is_down_until_checks_have_closed_it() {
        let (switched, breaker) = (Arc::new(Switched::default()), breaking());
        let watched = Watched {
            dependency: Arc::clone(&switched) as _,
            breakers: vec![Arc::clone(&breaker)],
        };
        watched.check().await.unwrap();
        for _ in 0..20 {
            let failed: Result<(), PortError> = breaker.call(|| async { Err(failure()) }).await;
            failed.unwrap_err();
        }
        let down = watched.check().await.unwrap_err();
        assert_eq!(down.kind(), PortErrorKind::Refused);
        assert_eq!(cause_of(&down), "circuit breaker calls is open");
        switched.is_off.store(true, Ordering::SeqCst);
        let down = watched.check().await.unwrap_err();
        assert_eq!(
            down.kind(),
            PortErrorKind::Unavailable,
            "the error of the dependency takes precedence"
        );
        switched.is_off.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(20)).await;
        while breaker.snapshot().state != State::Closed {
            watched.check().await.unwrap();
        }
    }
}
