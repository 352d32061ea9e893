//! Saved runs of k6.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use test_support::{Doing as _, Outcome};

use super::summary::{Summary, Times};
use crate::loadtest::saved_run::{DASHBOARD, RESOURCES, Run};
use crate::stats::mib;

/// The file of a run's resource chart.
pub(super) fn file_of(run: &str) -> String {
    format!("{run}.svg")
}

/// A saved run.
pub(super) struct Kept {
    /// The name of its folder.
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) run: Run,
    pub(super) summary: Summary,
}

impl Kept {
    /// Reads all runs, sorted by name.
    pub(super) fn all(folder: &Path) -> Outcome<Vec<Self>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).doing(format!("reading {}", folder.display()))? {
            let folder = entry.doing("reading a folder")?.path();
            if folder.is_dir() {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                all.push(Self {
                    name,
                    run: Run::read(&folder)?,
                    summary: Summary::read(&folder)?,
                    folder,
                });
            }
        }
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// One row for each run.
pub(super) fn overview(runs: &[Kept]) -> String {
    let mut text = "\
Runs of k6 on one core, with the service on the other. `report` is the closed model of the load-test
report; every other kind is an open model in which arrivals do not wait for responses, and is void
if k6 could not start all of them (dropped). *Failed* counts unexpected failures: refusals that
hostile clients provoke are checked instead. Times cover all requests together.

| run | duration | requests | per second | dropped | failed | checks held | p50 | p95 | p99 | p99.9 | max | service max | k6 max | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for Kept { name, run, summary, .. } in runs {
        let (held, checks) = summary.checks();
        let requests = summary.count("http_reqs");
        let times =
            summary.times("http_req_duration").map(|times| times.columns()).unwrap_or_default();
        let used = |used: crate::loadtest::resources::Used| {
            format!("{:.2} cores, {:.0} MiB", used.cores, mib(used.memory))
        };
        let service = run.resources.service.map(used).unwrap_or_default();
        let verdict = if run.is_content { "all thresholds held" } else { "thresholds crossed" };
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(
            text,
            "| {name} | {:.0} s | {requests} | {:.0} | {} | {} | {held} of {checks} | {times} | {service} | {} | {verdict} |",
            summary.seconds(),
            requests as f64 / summary.seconds(),
            summary.count("dropped_iterations"),
            summary.failures(),
            used(run.resources.generator),
        );
    }
    text
}

/// The verdicts on the recorded runs.
pub(super) fn verdicts(runs: &[Kept]) -> String {
    let mut text = "\
In a sale each client records its responses, and `cargo xtask verdict` checks them all. It reports
only what a fair queue cannot have caused; `crates/sale-audit` gives the reason for each
property, and its tests plant each fault.
"
    .to_owned();
    for Kept { name, run, .. } in runs {
        if let Some(verdict) = &run.verdict {
            let _ = write!(text, "\n{name}:\n\n```\n{}\n```\n", verdict.text.trim_end());
        }
    }
    text
}

/// Each run: its setup, its routes, and the resources used.
pub(super) fn details(runs: &[Kept], charts: &str, beside: &str) -> String {
    let mut text = String::new();
    for (nth, kept) in runs.iter().enumerate() {
        let Kept { name, run, summary, .. } = kept;
        let listed = |what: &[String]| {
            if what.is_empty() { "default".to_owned() } else { format!("`{}`", what.join(" ")) }
        };
        let before = if nth == 0 { "" } else { "\n" };
        let _ = write!(
            text,
            "{before}### {name}\n\n{}. Settings: {}; variables: {}; configuration {}. k6's report:\n\
             [{DASHBOARD}]({beside}{name}/{DASHBOARD}); resources per second:\n\
             [{RESOURCES}]({beside}{name}/{RESOURCES}).\n",
            capitalized(&run.topology),
            listed(&run.settings),
            listed(&run.variables),
            run.config_hash.as_deref().unwrap_or("unknown"),
        );
        if let Some(reported) = &run.sink {
            let _ = write!(text, "\n{reported}.\n");
        }
        text += "\n| route | requests | p50 | p95 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|\n";
        let rows = summary
            .routes()
            .into_iter()
            .map(|route| (format!("http_req_duration{{route:{route}}}"), route));
        let waited = ("sale_waited".to_owned(), "from join to call".to_owned());
        for (metric, name) in rows.chain([waited]) {
            let Some(times) = summary.times(&metric) else { continue };
            let _ = writeln!(text, "| {name} | {} | {} |", times.count, times.columns());
        }
        for crossed in summary.crossed() {
            let _ = write!(text, "\nCrossed: `{crossed}`.\n");
        }
        let _ = write!(text, "\n![resources used by {name}]({charts}{})\n", file_of(name));
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Times {
    fn columns(&self) -> String {
        [self.p50, self.p95, self.p99, self.p999, self.longest].map(milliseconds).join(" | ")
    }
}

fn milliseconds(time: f64) -> String {
    crate::stats::time((time * 1e3) as u64)
}
