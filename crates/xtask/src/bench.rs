//! `cargo xtask bench`: what the release binary can do.
//!
//! One server worker on one core; wrk, Redis and Postgres on another. Every round measures everything once, so that a
//! machine that gets slower or faster meanwhile does so for all; what counts is the median of each round's ratio.

pub(crate) mod breaking;
mod check;
pub(crate) mod environment;
pub(crate) mod growth;
pub(crate) mod idle;
pub(crate) mod knee;
pub(crate) mod measure;
mod page;
pub(crate) mod ratios;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod tables;
pub(crate) mod wrk;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::report::Results;
use crate::cores;
use crate::figures::Rounds;
use crate::run::{build_release, root};
use test_support::{Doing as _, Outcome, failed};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How often everything is measured [default: 9 for ratios, 3 for the breaking loads]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of each measurement [default: 2 for ratios, 5 for the breaking loads]
    #[arg(long)]
    seconds: Option<u32>,
    /// What to measure; everything unless told otherwise
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["ratios", "growth", "breaking", "knee"])]
    parts: Vec<Part>,
    /// Measure the ratios and compare them with the ones in the repository, which stay as they are
    #[arg(long, conflicts_with = "parts")]
    check: bool,
    /// Where raw output and tables go, below the repository
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
    /// How much may come, and what happens when twice as much does
    Knee,
}

/// Where the committed figures are, below the repository.
pub(crate) const OUT: &str = "loadtest/results/bench";

/// Ratios are compared within a round: what disturbs a shared machine lasts for seconds, and spoils fewer of many short rounds.
const RATIOS: Rounds = Rounds { rounds: 9, seconds: 2 };
/// Thousands of connections take a second to be there.
const BREAKING: Rounds = Rounds { rounds: 3, seconds: 5 };

/// Connections that wrk keeps open.
pub(crate) const CONNECTIONS: [u32; 2] = [64, 256];
/// The budget of one person an hour is spent by the first who joins; after that the line stands still.
pub(crate) const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];
/// As many may wait as a generator can bring.
pub(crate) const EVER_LONGER: &str = "queue.policy.max_waiting=100000000";
/// Any key will do.
pub(crate) const KEY: &str = "queue.keys=YmVuY2htYXJrYmVuY2htYXJrYmVuY2htYXJrYmVuY2g=";

impl Arguments {
    fn rounds_or(&self, usual: Rounds) -> Rounds {
        Rounds {
            rounds: self.rounds.unwrap_or(usual.rounds),
            seconds: self.seconds.unwrap_or(usual.seconds),
        }
    }
}

pub(crate) fn bench(arguments: &Arguments) -> Outcome {
    wrk::require_tools()?;
    build_release()?;
    wrk::open_many_files()?;
    cores::stay_on(cores::GENERATOR)?;
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
        keep(&breaking::measure(arguments.rounds_or(BREAKING), &folder)?, &out, "breaking")?;
    }
    if has(Part::Knee) {
        keep(&knee::measure()?, &out, "knee")?;
    }
    let page = page::Page::read(&out)?;
    page.draw(&out)?;
    save(&page.markdown(), &out)?;
    page.verdict()
}

/// Raw output of a check goes where builds go.
fn checked(rounds: Rounds) -> Outcome {
    let then: Results = read(&root().join(OUT), "ratios")?;
    let now = ratios::measure(rounds, &make_folder(Path::new("target/bench-check"))?)?;
    now.check_clean()?;
    check::check(&then, &now)
}

fn keep(figures: &impl Serialize, out: &Path, name: &str) -> Outcome {
    let text = serde_json::to_string_pretty(figures)
        .map_err(|error| failed(format!("writing {name}: {error}")))?;
    let file = out.join(name).with_extension("json");
    fs::write(&file, text + "\n").doing(format!("writing {}", file.display()))
}

/// Figures of a part, as they were kept.
pub(crate) fn read<T: DeserializeOwned>(out: &Path, name: &str) -> Outcome<T> {
    let file = out.join(name).with_extension("json");
    let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| failed(format!("reading {}: {error}", file.display())))
}

/// Makes a folder for raw output, empty.
pub(crate) fn make_folder(out: &Path) -> Outcome<PathBuf> {
    let out = root().join(out);
    if out.exists() {
        fs::remove_dir_all(&out).doing(format!("clearing {}", out.display()))?;
    }
    fs::create_dir_all(&out).doing(format!("making {}", out.display()))?;
    Ok(out)
}

/// Writes the page beside the raw output, and prints it.
pub(crate) fn save(text: &str, out: &Path) -> Outcome {
    let path = out.join("README.md");
    fs::write(&path, text).doing(format!("writing {}", path.display()))?;
    println!("\n{text}");
    Ok(())
}
