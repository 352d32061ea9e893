//! `boxoffice seed`

use std::process::ExitCode;

use adapter_memory::SystemClock;
use clap::Args;
use domain::Clock as _;
use domain::sample_catalog::{self, SampleSize};
use indicatif::{ProgressBar, ProgressStyle};

use super::{complain, database, print};
use crate::command::USAGE;
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// The total number of concerts; existing ones are left unchanged
    #[arg(long, default_value_t = 10_000)]
    concerts: u32,
    /// The total number of seats, spread evenly over the concerts; by default a hundred per concert
    #[arg(long)]
    seats: Option<u64>,
}

impl Arguments {
    fn size(&self) -> Result<SampleSize, sample_catalog::InvalidSampleSize> {
        let usual = SampleSize::of_concerts(self.concerts).seats();
        SampleSize::new(self.concerts, self.seats.unwrap_or(usual))
    }
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    let size = match arguments.size() {
        Ok(size) => size,
        Err(error) => {
            complain(error);
            return ExitCode::from(USAGE);
        }
    };
    let bar = ProgressBar::new(size.seats()).with_style(style());
    database::with_address(config, async |address, connect| {
        let concerts = sample_catalog::concerts(size, SystemClock.now());
        let seeded = adapter_postgres::seed(address, connect, concerts, |so_far| {
            bar.set_position(so_far.seats);
        });
        let seeded = seeded.await;
        bar.finish_and_clear();
        let seeded = seeded?;
        let adapter_postgres::Seeded { added, seats_added, there, .. } = seeded;
        Ok(print(format_args!(
            "added {added} concerts with {seats_added} seats; {there} concerts already existed and are unchanged\n"
        )))
    })
}

/// Drawn only on a terminal.
fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} seats, {eta} to go");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
