//! `cargo xtask report`: writes `docs/load-report.md` and its charts from the saved results alone.

mod charts;
mod replaced_service;
mod runs;
mod summary;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use self::runs::Kept;
use crate::bench::growth::Growth;
use crate::bench::knee::Knees;
use crate::bench::replaced_service_loads::Breaking;
use crate::bench::report::Results;
use crate::bench::{OUT, make_folder, read, tables};
use crate::environment::Environment;
use crate::loadtest::SAVED;
use test_support::workspace::root;
use test_support::{Doing as _, Outcome};

const PAGE: &str = "docs/load-report.md";
const CHARTS: &str = "docs/load-report";
/// The charts and the results, relative to the page.
const CHARTS_BESIDE: &str = "load-report/";
const BENCH_BESIDE: &str = "../loadtest/results/bench/";
const RUNS_BESIDE: &str = "../loadtest/results/runs/";

/// The inputs of a report.
struct Report {
    ratios: Results,
    growth: Growth,
    breaking: Breaking,
    knees: Knees,
    runs: Vec<Kept>,
}

/// Runs it.
///
/// # Errors
/// If a saved result cannot be read, or the report cannot be written.
pub fn report() -> Outcome {
    let report = Report::read(&root())?;
    let charts = make_folder(Path::new(CHARTS))?;
    report.draw(&charts)?;
    fs::write(root().join(PAGE), report.page()).doing(format!("writing {PAGE}"))?;
    println!("{PAGE} and {CHARTS} are written");
    Ok(())
}

impl Report {
    fn read(root: &Path) -> Outcome<Self> {
        let bench = root.join(OUT);
        Ok(Self {
            ratios: read(&bench, "ratios")?,
            growth: read(&bench, "growth")?,
            breaking: read(&bench, "breaking")?,
            knees: read(&bench, "knee")?,
            runs: Kept::all(&root.join(SAVED))?,
        })
    }

    fn draw(&self, folder: &Path) -> Outcome {
        self.runs.iter().try_for_each(|run| charts::used(run, folder))?;
        charts::knees(&self.knees, folder)
    }

    fn page(&self) -> String {
        let mut text = "\
# Load report

`cargo xtask report` generates this page from the results that `cargo xtask bench` and
`cargo xtask loadtest --save` saved; a test fails if the page does not match them.
"
        .to_owned();
        let mut section = |title: &str, body: String| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n## {title}\n\n{body}");
        };
        section("Environment", self.environment());
        section("Comparison with the replaced service", replaced_service::tables(&self.breaking));
        section("The loads of those tables in full", tables::breaking(&self.breaking));
        section("Scenarios", runs::overview(&self.runs));
        section("Fairness of the sales", runs::verdicts(&self.runs));
        section("Each run", runs::details(&self.runs, CHARTS_BESIDE, RUNS_BESIDE));
        section(
            "The knee, and twice its rate",
            tables::knees(&self.knees) + &charts::knees_seen(&self.knees, CHARTS_BESIDE),
        );
        section("Cost of a request", self.ratios());
        section("Growth of the cost", tables::growth(&self.growth, BENCH_BESIDE));
        section("Dependence on the machine", DEPENDS.to_owned());
        section("Not tested", NOT_TESTED.to_owned());
        text
    }

    fn environment(&self) -> String {
        let of_bench = [
            self.ratios.environment(),
            &self.growth.environment,
            &self.breaking.environment,
            &self.knees.environment,
        ];
        let all = || of_bench.into_iter().chain(self.runs.iter().map(|run| &run.run.environment));
        let listed = |of: &dyn Fn(&Environment) -> String| {
            let different: BTreeSet<String> =
                all().map(of).filter(|text| !text.is_empty()).collect();
            different.into_iter().collect::<Vec<_>>().join("; ")
        };
        let tools: BTreeSet<&str> = all().flat_map(|one| &one.tools).map(String::as_str).collect();
        format!(
            "- Built from: {}.\n- Machine: {}. Virtual machines, shared with other work.\n- Load generators: {}, and one \
             thread of `xtask`\n  for high rates in an open model.\n- One node with one worker on a dedicated core; the load \
             generator has the other, which Redis and\n  Postgres share unless a section says otherwise. Data: 10,000 \
             concerts; each run lists its other\n  data and the hash of its configuration.\n",
            listed(&Environment::built),
            listed(&Environment::machine),
            tools.into_iter().collect::<Vec<_>>().join(", "),
        )
    }

    fn ratios(&self) -> String {
        let table = self.ratios.table();
        let floors = tables::floors(&self.ratios);
        format!(
            "Ratios to a constant response of the same program, measured in turn; raw output is in\n\
             [`loadtest/results/bench`]({BENCH_BESIDE}README.md).\n\n{table}\n### Requirements\n\n{floors}"
        )
    }
}

const DEPENDS: &str = "\
- Requests a second, times and knees depend on the machine and its other load: compare them only
  within one report.
- Ratios to the constant response, ratios along a curve, bytes of an idle connection, and the
  fairness of the sales (numbers, order, admissions, the number inside) depend on the program.
  Ratios still vary by as much as their spread.
- The figures of the replaced service are from its own report, on eight cores with everything in
  containers on one machine. Beside ours they show where it failed and how this service behaves
  there; they are not a comparison on equal terms.
";

const NOT_TESTED: &str = "\
- More than one machine: there is no network between clients, nodes and stores, and no load balancer
  or TLS in front.
- More than two cores: whether a second worker or a second node doubles the throughput
  (`cargo xtask three-nodes` shows that three nodes are correct together, not that they are fast).
- More than some thousands of clients with k6, and rates above the limit of a one-core generator.
- Hours: a soak takes half an hour by default, and only the runs in the table are saved.
- A booking behind the dates: it is outside the scope of this service.
- Faults under load: `loadtest/results/protection` has a database outage, an overload and a storm.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_matches_the_results() {
        let report = Report::read(&root()).unwrap();
        let page = fs::read_to_string(root().join(PAGE)).unwrap();
        assert!(page == report.page(), "{PAGE} is not current; `cargo xtask report` writes it");
        let folder = tempfile::tempdir().unwrap();
        report.draw(folder.path()).unwrap();
        let mut charts = 0;
        for chart in fs::read_dir(folder.path()).unwrap() {
            let name = chart.unwrap().file_name();
            let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap();
            assert!(read(folder.path()) == read(&root().join(CHARTS)), "{name:?} is not current");
            assert!(page.contains(name.to_str().unwrap()), "{name:?} is not on the page");
            charts += 1;
        }
        assert!(charts > 0);
    }
}
