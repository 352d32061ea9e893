//! The scenarios of k6 and their kinds.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use sale_audit::AuditSettings;

/// What people do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Join: a waiting token is issued
    Issue,
    /// List concerts
    Concerts,
    /// Join, wait, and read a concert's dates
    Dates,
    /// All of these, as on the evening of a sale, with hostile clients
    Sale,
}

/// How many people, and when they arrive.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A closed loop, as in the load-test report
    Report,
    /// A few, for a few seconds, to check correctness
    Smoke,
    /// As many as on a usual day
    Average,
    /// More than usual
    Stress,
    /// Very many at once
    Spike,
    /// The usual number, for a long time
    Soak,
    /// A rising rate, until a threshold is crossed
    Breakpoint,
}

impl Scenario {
    /// The script in `loadtest`.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Issue => "token-issue.js",
            Self::Concerts => "concert-list.js",
            Self::Dates => "queue-then-dates.js",
            Self::Sale => "sale.js",
        }
    }

    /// Whether it records every answer.
    pub(super) fn is_recorded(self) -> bool {
        self == Self::Sale
    }

    /// The settings of the service. At a sale, the limit on active people is low enough to be
    /// reached, and an unclaimed call lapses soon.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Issue | Self::Concerts | Self::Dates => &[],
            Self::Sale => &[
                "queue.policy.batch=100",
                "queue.policy.every=1s",
                "queue.policy.max_active=400",
                "queue.policy.claim_within=15s",
                "queue.policy.session_ttl=30s",
                "queue.poll.farthest=5s",
            ],
        }
    }
}

/// The settings of a sale, for the checker.
pub(super) fn limits() -> AuditSettings {
    AuditSettings {
        batch: Some(100),
        every: Duration::from_secs(1),
        max_active: Some(400),
        claim_within: Duration::from_secs(15),
        session_ttl: Duration::from_secs(30),
        // One node gives all answers.
        one_node: true,
        require_all: true,
        ..AuditSettings::default()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(*self, f)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(*self, f)
    }
}

/// Writes the name used on the command line.
pub(super) fn write_name(value: impl ValueEnum, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    value.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_support::workspace::root;

    #[test]
    fn every_scenario_has_its_script() {
        for scenario in Scenario::value_variants() {
            assert!(root().join("loadtest").join(scenario.file()).is_file(), "{scenario}");
        }
    }

    #[test]
    fn the_checker_gets_the_settings_of_the_service() {
        let AuditSettings { batch, every, max_active, claim_within, session_ttl, .. } = limits();
        let reported = [
            format!("queue.policy.batch={}", batch.unwrap()),
            format!("queue.policy.every={every:?}"),
            format!("queue.policy.max_active={}", max_active.unwrap()),
            format!("queue.policy.claim_within={claim_within:?}"),
            format!("queue.policy.session_ttl={session_ttl:?}"),
        ];
        assert!(
            reported.iter().all(|reported| Scenario::Sale.settings().contains(&reported.as_str())),
            "{reported:?}"
        );
    }
}
