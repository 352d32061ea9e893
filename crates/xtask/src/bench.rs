//! `cargo xtask bench`: requests per second of the release binary as ratios to a constant answer.
//!
//! One server worker on one core, wrk on another. Every round measures everything once, so that a machine that gets
//! slower or faster meanwhile does so for all; what counts is the median of each round's ratio.

pub(crate) mod measure;
pub(crate) mod report;
pub(crate) mod service;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use self::measure::Target;
use self::report::Results;
use self::service::Service;
use crate::figures::Rounds;
use crate::run::{cargo, root, run};
use test_support::{Doing as _, Outcome};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    measure: Rounds,
    /// People waiting in the long line
    #[arg(long, default_value_t = 1_000_000)]
    crowd: u64,
    /// Where raw output and the table go, below the repository
    #[arg(long, default_value = "loadtest/results/embedded")]
    out: PathBuf,
}

/// Connections that wrk keeps open.
const CONNECTIONS: [u32; 2] = [64, 256];
/// People waiting in the short line.
const FEW: u64 = 10;

pub(crate) fn bench(arguments: &Arguments) -> Outcome {
    measure::require_tools()?;
    run(cargo(&["build", "--release", "--locked"]))?;
    let out = make_folder(&arguments.out)?;

    let yardstick = Service::start("yardstick", &[])?;
    // The budget of one person an hour is spent by the first who joins; after that the line stands still.
    let standing_still =
        ["queue.policy.batch=1", "queue.policy.every=1h", "queue.policy.max_waiting=10000000"];
    let short = Service::start("serve", &standing_still)?;
    let long = Service::start("serve", &standing_still)?;
    let inside = short.join(1)?;
    short.get("/concert/451/date", &[("waitingToken", &inside)])?;
    long.join(1)?;
    let waiting = short.join_until(FEW)?;
    let waiting_long = measure::crowd(&long, arguments.crowd, &out)?;
    let etag = short.etag("/concerts/query?page=1")?;

    let targets = [
        Target::new("constant answer", &yardstick, "/constant", None),
        Target::new(
            "status query, 10 waiting",
            &short,
            "/user/queue/token/query",
            Some(("waitingToken", &waiting)),
        ),
        Target::new(
            "status query, long line",
            &long,
            "/user/queue/token/query",
            Some(("waitingToken", &waiting_long)),
        ),
        Target::new("concert page, 200", &short, "/concerts/query?page=1", None),
        Target::new("concert page, 304", &short, "/concerts/query?page=1", Some(("If-None-Match", &etag))),
        Target::new("dates, active session", &short, "/concert/451/date", Some(("waitingToken", &inside))),
    ];
    let mut results = Results::new(arguments.measure);
    results.measure(&targets, &out)?;
    let what = format!(
        "Printed by `cargo xtask bench`. The long line has at least {} people waiting.",
        arguments.crowd
    );
    let mut text = results.markdown("Embedded default, against a constant answer", &what);
    text += &results.compared(
        "The same question asked of the long line, to the short one",
        "status query, long line",
        "status query, 10 waiting",
    );
    save(&text, &out)?;
    results.check_clean()
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
