//! `cargo xtask report`: `docs/load-report.md` and its charts, from the results that are kept, and from nothing else.

mod charts;
mod replaced;
mod runs;
mod summary;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use self::runs::Kept;
use crate::bench::breaking::Breaking;
use crate::bench::environment::Environment;
use crate::bench::growth::Growth;
use crate::bench::knee::Knees;
use crate::bench::report::Results;
use crate::bench::{OUT, make_folder, read, tables};
use crate::loadtest::SAVED;
use crate::run::root;
use test_support::{Doing as _, Outcome};

const PAGE: &str = "docs/load-report.md";
const CHARTS: &str = "docs/load-report";
/// The same, and the results, as the page sees them.
const CHARTS_BESIDE: &str = "load-report/";
const BENCH_BESIDE: &str = "../loadtest/results/bench/";
const RUNS_BESIDE: &str = "../loadtest/results/runs/";

/// Everything a report is made from.
struct Report {
    ratios: Results,
    growth: Growth,
    breaking: Breaking,
    knees: Knees,
    runs: Vec<Kept>,
}

pub(crate) fn report() -> Outcome {
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
        let mut text = "# Load report\n\nPrinted by `cargo xtask report` from what `cargo xtask bench` and `cargo xtask loadtest --save` \
                        kept; a test fails when it is not what they say.\n"
            .to_owned();
        let mut section = |title: &str, body: String| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n## {title}\n\n{body}");
        };
        section("On what", self.environment());
        section("Beside the service it replaces", replaced::tables(&self.breaking));
        section("The loads of those tables, in full", tables::breaking(&self.breaking));
        section("Scenarios", runs::overview(&self.runs));
        section("What people were told", runs::verdicts(&self.runs));
        section("Run by run", runs::details(&self.runs, CHARTS_BESIDE, RUNS_BESIDE));
        section(
            "The knee, and twice as much",
            tables::knees(&self.knees) + &charts::knees_seen(&self.knees, CHARTS_BESIDE),
        );
        section("What a request costs", self.ratios());
        section("How cost grows", tables::growth(&self.growth, BENCH_BESIDE));
        section("What depends on the machine", DEPENDS.to_owned());
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
            "- Built from: {}.\n- Machine: {}. Shared with others, as virtual machines are.\n- Load by: {}, and by one thread of \
             `xtask` where the model is open and the rate high.\n- One node with one worker on a core of its own; whatever makes \
             the load has the other, and Redis and Postgres share it unless a section says otherwise. Data: 10,000 concerts; \
             what else there is and the hash of each configuration are told with each run.\n",
            listed(&Environment::built),
            listed(&Environment::machine),
            tools.into_iter().collect::<Vec<_>>().join(", "),
        )
    }

    fn ratios(&self) -> String {
        let table = self.ratios.table();
        let floors = tables::floors(&self.ratios);
        format!(
            "Ratios to a constant answer of the same program, measured in turn; raw output is in \
             [`loadtest/results/bench`]({BENCH_BESIDE}README.md).\n\n{table}\nWhat was asked for. {floors}"
        )
    }
}

const DEPENDS: &str = "\
- Requests a second, times and knees depend on the machine, and on who shares it: they are worth comparing with each other in
  one report, and with nothing else.
- Ratios to the constant answer, ratios along a curve, bytes of an idle connection, and everything about what people were told
  (numbers, order, how many were inside, who was let in) depend on the program. Ratios still vary by as much as their spread.
- The figures of the service this one replaces are from its own report, on eight cores with everything in containers on one
  machine. Beside ours they show where it failed and what that looks like here; they are no race on equal terms.
";

const NOT_TESTED: &str = "\
- More than one machine: no network lies between people, nodes and stores, and no load balancer or TLS is in front.
- More than two cores: whether a second worker or a second node doubles anything (`cargo xtask three-nodes` shows that three
  nodes are correct together, not that they are fast).
- More than some thousands of people with k6, and rates above what a generator with one core can make.
- Hours: a soak is half an hour unless it is told otherwise, and none is kept here unless it is in the table.
- A booking behind the dates: this service ends where that begins.
- What is broken or slow meanwhile: `loadtest/results/protection` has a database that is away, an overload and a storm.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_what_the_results_say() {
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
