//! `cargo xtask protect WHAT`: demonstrates the resilience mechanisms on the release binary and
//! real private servers.

mod deployment;
mod outage;
mod overload;
mod prometheus;
mod report;
mod small_cache;
mod storm;

use clap::{Args, Subcommand};
use test_support::Outcome;

use self::report::Report;
use benchmarks::environment::Environment;

/// The arguments of `cargo xtask protect`.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Write the printed report to a file of this name, or of the experiment's, in
    /// `loadtest/results/protection`
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, global = true)]
    save: Option<Option<String>>,
    /// A setting of the nodes, applied after the built-in ones; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    settings: Vec<String>,
}

#[derive(Subcommand)]
enum What {
    /// Ten thousand concurrent requests for an uncached value
    Storm(storm::Arguments),
    /// Pages while the database is down
    Outage(outage::Arguments),
    /// Ten times as many requests as the database can answer
    Overload(overload::Arguments),
    /// The concert list under load while the shared cache evicts
    SmallCache(small_cache::Arguments),
    /// The metrics and alerts that Prometheus records under load
    Watched(prometheus::Arguments),
}

/// Runs it.
///
/// # Errors
/// If a server fails, or the outcome is not the promised one.
pub fn protect(arguments: &Arguments) -> Outcome {
    let (name, mut report) = (arguments.what.name(), Report::default());
    report.add(format!(
        "cargo xtask protect {name}: the release binary on {}",
        Environment::now(&[]).machine()
    ));
    let settings = &arguments.settings;
    let done = match &arguments.what {
        What::Storm(arguments) => storm::storm(arguments, settings, &mut report),
        What::Outage(arguments) => outage::outage(arguments, settings, &mut report),
        What::Overload(arguments) => overload::overload(arguments, settings, &mut report),
        What::SmallCache(arguments) => small_cache::small_cache(arguments, settings, &mut report),
        What::Watched(arguments) => prometheus::watched(arguments, settings, &mut report),
    };
    if let (Some(save), Ok(())) = (&arguments.save, &done) {
        report.save(save.as_deref().unwrap_or(name))?;
    }
    done.and_then(|()| report.verdict())
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            Self::Storm(_) => "storm",
            Self::Outage(_) => "outage",
            Self::Overload(_) => "overload",
            Self::SmallCache(_) => "small-cache",
            Self::Watched(_) => "watched",
        }
    }
}
