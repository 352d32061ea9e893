//! The saved results of a run, for reports.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use test_support::{Doing as _, Outcome, failed};

use super::hostile::Counts;
use super::resources::{Resources, Used};
use super::scenario::{Kind, Scenario};
use crate::environment::Environment;
use crate::stats::mib;

/// All counts of k6.
pub(crate) const SUMMARY: &str = "summary.json";
/// k6's own HTML report.
pub(crate) const DASHBOARD: &str = "k6.html";
/// Resources used by the service and k6, each second.
pub(crate) const RESOURCES: &str = "resources.csv";
/// The answers of all clients.
pub(super) const RECORD: &str = "record.jsonl";
pub(super) const CONSOLE: &str = "console.txt";
const RUN: &str = "run.json";

/// A run: its setup and its results, next to k6's counts.
#[derive(Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) kind: Kind,
    pub(crate) environment: Environment,
    pub(crate) topology: String,
    /// Settings of the service other than the defaults.
    pub(crate) settings: Vec<String>,
    /// The hash of the service's configuration, if this run started the service.
    pub(crate) config_hash: Option<String>,
    /// Variables of the scenario other than those of `loadtest/config.js`.
    pub(crate) variables: Vec<String>,
    /// Whether every threshold of the scenario held.
    pub(crate) is_content: bool,
    pub(crate) resources: Resources,
    /// Counts of hostile connections, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hostile: Option<Counts>,
    /// Confirmation from the additional store, if there was one.
    pub(crate) sink: Option<String>,
    /// The verdict on the record, if the scenario has one.
    pub(crate) verdict: Option<Verdict>,
}

/// The checker's verdict.
#[derive(Deserialize, Serialize)]
pub(crate) struct Verdict {
    pub(crate) is_good: bool,
    pub(crate) text: String,
}

impl Run {
    pub(super) fn keep(&self, folder: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.to_string()))?;
        fs::write(folder.join(RUN), text + "\n").doing(format!("writing {RUN}"))
    }

    /// # Errors
    /// If the file does not exist or is invalid.
    pub(crate) fn read(folder: &Path) -> Outcome<Self> {
        let file = folder.join(RUN);
        let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
        serde_json::from_str(&text)
            .map_err(|error| failed(format!("reading {}: {error}", file.display())))
    }

    /// Fails unless every threshold held and the sale was fair.
    pub(super) fn judge(&self) -> Outcome {
        if self.verdict.as_ref().is_some_and(|verdict| !verdict.is_good) {
            return Err(failed("the recorded answers are not those of a fair queue"));
        }
        if self.is_content {
            Ok(())
        } else {
            Err(failed("thresholds of the scenario were crossed"))
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, kind, topology, settings, resources, .. } = self;
        writeln!(f, "{scenario} {kind}: {topology}")?;
        if !settings.is_empty() {
            writeln!(f, "settings: {}", settings.join(" "))?;
        }
        let most = |used: Used| format!("{:.2} cores, {:.0} MiB", used.cores, mib(used.memory));
        let service = resources.service.map_or_else(|| "not measured".to_owned(), most);
        writeln!(f, "maximum: service {service}; k6 {}", most(resources.generator))?;
        self.hostile.iter().try_for_each(|counts| writeln!(f, "{counts}"))?;
        self.sink.iter().try_for_each(|reported| writeln!(f, "{reported}"))?;
        self.verdict.iter().try_for_each(|verdict| write!(f, "\n{}", verdict.text))
    }
}
