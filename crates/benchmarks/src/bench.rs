//! `cargo xtask bench`: measures the release binary.
//!
//! One server worker runs on one core; wrk, Redis and Postgres on another. Every round measures
//! every target once, so a drift in the machine's speed affects all of them. The result is the
//! median of the ratios of all rounds.

pub(crate) mod growth;
pub(crate) mod idle_connections;
pub(crate) mod knee;
pub(crate) mod measure;
pub(crate) mod ratios;
mod regressions;
pub(crate) mod replaced_service_loads;
pub(crate) mod report;
mod results_page;
pub(crate) mod service;
pub(crate) mod tables;
pub(crate) mod wrk;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::report::Results;
use crate::affinity;
use crate::stats::Rounds;
use test_support::workspace::{build_release, root};
use test_support::{Doing as _, Outcome, failed};

/// The arguments of `cargo xtask bench`.
#[derive(Args)]
pub struct Arguments {
    /// Rounds of measurement [default: 9 for ratios, 3 for the breaking loads]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of each measurement [default: 2 for ratios, 5 for the breaking loads]
    #[arg(long)]
    seconds: Option<u32>,
    /// What to measure; all parts by default
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["ratios", "growth", "breaking", "knee"])]
    parts: Vec<Part>,
    /// Measure the ratios and compare them with the ones in the repository, which stay as they are
    #[arg(long, conflicts_with = "parts")]
    check: bool,
    /// Folder for raw output and tables, relative to the repository
    #[arg(long, default_value = OUT)]
    out: PathBuf,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Requests against a constant answer
    Ratios,
    /// Cost with people waiting, connections, concerts
    Growth,
    /// The loads at which the replaced service failed
    Breaking,
    /// The highest rate that is served, and the behaviour at twice that rate
    Knee,
}

/// Folder of the committed figures, relative to the repository.
pub(crate) const OUT: &str = "loadtest/results/bench";

/// Ratios are compared within a round. A disturbance on a shared machine lasts for seconds, and
/// spoils fewer of many short rounds.
const RATIOS: Rounds = Rounds { rounds: 9, seconds: 2 };
/// Opening thousands of connections takes a second.
const BREAKING: Rounds = Rounds { rounds: 3, seconds: 5 };

/// Connections that wrk keeps open.
pub(crate) const CONNECTIONS: [u32; 2] = [64, 256];
/// The first join uses up the budget of one person an hour; after that the queue stands still.
pub(crate) const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];
/// More people than a generator can bring.
pub(crate) const EVER_LONGER: &str = "queue.policy.max_waiting=100000000";
/// An arbitrary key.
pub const KEY: &str = "queue.keys=YmVuY2htYXJrYmVuY2htYXJrYmVuY2htYXJrYmVuY2g=";

impl Arguments {
    fn rounds_or(&self, usual: Rounds) -> Rounds {
        Rounds {
            rounds: self.rounds.unwrap_or(usual.rounds),
            seconds: self.seconds.unwrap_or(usual.seconds),
        }
    }
}

/// Runs it.
///
/// # Errors
/// If a tool is missing, the build or a measurement fails, or, with `--check`, a ratio is worse than
/// the committed one.
pub fn bench(arguments: &Arguments) -> Outcome {
    wrk::require_tools()?;
    build_release()?;
    wrk::open_many_files()?;
    affinity::stay_on(affinity::GENERATOR)?;
    if arguments.check {
        return checked(arguments.rounds_or(RATIOS));
    }
    let has = |part| arguments.parts.contains(&part);
    let out = root().join(&arguments.out);
    fs::create_dir_all(&out).doing(format!("making {}", out.display()))?;
    if has(Part::Ratios) {
        keep(
            &ratios::measure(
                arguments.rounds_or(RATIOS),
                &make_folder(&arguments.out.join("ratios"))?,
            )?,
            &out,
            "ratios",
        )?;
    }
    if has(Part::Growth) {
        keep(&growth::measure(&make_folder(&arguments.out.join("growth"))?)?, &out, "growth")?;
    }
    if has(Part::Breaking) {
        let folder = make_folder(&arguments.out.join("breaking"))?;
        keep(
            &replaced_service_loads::measure(arguments.rounds_or(BREAKING), &folder)?,
            &out,
            "breaking",
        )?;
    }
    if has(Part::Knee) {
        keep(&knee::measure()?, &out, "knee")?;
    }
    let page = results_page::Page::read(&out)?;
    page.draw(&out)?;
    save(&page.markdown(), &out)?;
    page.verdict()
}

/// The raw output of a check goes to the build folder.
fn checked(rounds: Rounds) -> Outcome {
    let then: Results = read(&root().join(OUT), "ratios")?;
    let now = ratios::measure(rounds, &make_folder(Path::new("target/bench-check"))?)?;
    now.check_clean()?;
    regressions::check(&then, &now)
}

fn keep(figures: &impl Serialize, out: &Path, name: &str) -> Outcome {
    let text = serde_json::to_string_pretty(figures)
        .map_err(|error| failed(format!("writing {name}: {error}")))?;
    let file = out.join(name).with_extension("json");
    fs::write(&file, text + "\n").doing(format!("writing {}", file.display()))
}

/// Reads the saved figures of a part.
pub(crate) fn read<T: DeserializeOwned>(out: &Path, name: &str) -> Outcome<T> {
    let file = out.join(name).with_extension("json");
    let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| failed(format!("reading {}: {error}", file.display())))
}

/// Makes an empty folder for raw output.
pub(crate) fn make_folder(out: &Path) -> Outcome<PathBuf> {
    let out = root().join(out);
    if out.exists() {
        fs::remove_dir_all(&out).doing(format!("clearing {}", out.display()))?;
    }
    fs::create_dir_all(&out).doing(format!("making {}", out.display()))?;
    Ok(out)
}

/// Writes the page next to the raw output, and prints it.
pub(crate) fn save(text: &str, out: &Path) -> Outcome {
    let path = out.join("README.md");
    fs::write(&path, text).doing(format!("writing {}", path.display()))?;
    println!("\n{text}");
    Ok(())
}
