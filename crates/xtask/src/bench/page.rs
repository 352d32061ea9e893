//! The page of a benchmark: tables, charts, and what is not as it should be.

use std::fmt::Write as _;
use std::path::Path;

use super::breaking::{Breaking, Load};
use super::growth::{Curve, Growth};
use super::idle;
use super::ratios::{self, BUSY};
use super::read;
use super::report::Results;
use crate::figures::time;
use crate::plot::{Chart, Series, draw};
use test_support::{Outcome, failed};

/// The parts as they were kept last, whichever were measured now.
pub(super) struct Page {
    ratios: Results,
    growth: Growth,
    breaking: Breaking,
}

/// A million waiting may change the cost of a question by so much.
const FLAT: f64 = 0.05;

impl Page {
    pub(super) fn read(out: &Path) -> Outcome<Self> {
        Ok(Self {
            ratios: read(out, "ratios")?,
            growth: read(out, "growth")?,
            breaking: read(out, "breaking")?,
        })
    }

    pub(super) fn draw(&self, out: &Path) -> Outcome {
        for grows in ["people waiting", "connections", "concerts"] {
            let same = || self.growth.curves.iter().filter(|curve| curve.grows == grows);
            let series = same().map(|curve| Series {
                name: curve.what.clone(),
                points: curve.points.iter().map(|p| (f64::from(p.size), p.ratio.1)).collect(),
            });
            let chart = Chart {
                title: "Requests for a second of processor time, to those at the first size",
                x: grows,
                y: "ratio",
                logarithmic: true,
                series: series.collect(),
            };
            draw(&chart, &out.join(file_of(grows)))?;
        }
        Ok(())
    }

    pub(super) fn markdown(&self) -> String {
        let what = "Printed by `cargo xtask bench`.";
        let mut text = self.ratios.markdown("What the service can do", what);
        text += &self.floors();
        text += &self.grown();
        text += &self.broken();
        text
    }

    fn floors(&self) -> String {
        let mut text = format!(
            "\n## What was asked for\n\nBy requests a second where the server was busy for {BUSY} of its core or more, by \
             its processor time where it had to wait for the generator or for Redis, which share the other core.\n\n\
             | measurement | connections | at least | measured | by | |\n|---|---|---|---|---|---|\n"
        );
        for held in ratios::floors(&self.ratios) {
            let verdict = if held.is_held() { "held" } else { "NOT held" };
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {} | {verdict} |",
                held.target, held.connections, held.floor, held.ratio, held.by
            );
        }
        text
    }

    fn grown(&self) -> String {
        let Growth { environment, curves, idle } = &self.growth;
        let mut text = format!("\n## How cost grows\n\nBuilt from {}.\n", environment.built());
        for curve in curves {
            let Curve { what, grows, rounds, seconds, points } = curve;
            let _ = write!(
                text,
                "\n{what}, by {grows}; {rounds} rounds of {seconds} s. The ratio is of requests for a second of the server's \
                 processor time, to those at the first size in the same round.\n\n\
                 | {grows} | on connections | requests/s | ratio: median (lowest to highest) | p99 | memory of the process | errors |\n\
                 |---|---|---|---|---|---|---|\n"
            );
            for point in points {
                let (low, median, high) = point.ratio;
                let _ = writeln!(
                    text,
                    "| {} | {} | {:.0} | {median:.2} ({low:.2} to {high:.2}) | {} | {:.0} MiB | {} |",
                    point.size,
                    point.connections,
                    point.per_second,
                    time(point.p99),
                    mib(point.memory),
                    point.errors
                );
            }
        }
        for grows in ["people waiting", "connections", "concerts"] {
            let _ = write!(text, "\n![cost by {grows}]({})\n", file_of(grows));
        }
        let _ = write!(
            text,
            "\nAn idle connection that has asked once: {} bytes of the process ({:.1} MiB with none, {:.1} MiB with {}; what \
             the kernel keeps for a socket is not in it).\n",
            idle.bytes_each(),
            mib(idle.before),
            mib(idle.after),
            idle.connections
        );
        text
    }

    fn broken(&self) -> String {
        let mut text = format!(
            "\n## Where the replaced service failed\n\nAs many connections as it had users, each asking again as soon as it is \
             answered; Redis and Postgres share the generator's core. Times are from sending to the whole answer; connecting \
             is not in them. Built from {}. The median of the rounds by p95.\n\n\
             | load | connections | requests/s | p50 | p90 | p95 | p99 | p99.9 | errors | server load | memory | asked: p95 | settings |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
            self.breaking.environment.built()
        );
        for load in &self.breaking.loads {
            let Some(median) = load.median() else { continue };
            let figures = &median.figures;
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {} | {} | {} | {} | {} | {} | {:.2} | {:.0} MiB | {} | {} |",
                load.what,
                load.connections,
                median.per_second(),
                time(figures.p50),
                time(figures.p90),
                time(figures.p95),
                time(figures.p99),
                time(figures.p999),
                load.errors(),
                median.server_load,
                mib(median.memory),
                load.limit.map_or_else(|| "only told".to_owned(), time),
                if load.settings.is_empty() { "as they come" } else { &load.settings }
            );
        }
        text
    }

    /// Fails unless everything is as it was asked for.
    pub(super) fn verdict(&self) -> Outcome {
        self.ratios.check_clean()?;
        let floors = ratios::floors(&self.ratios).into_iter().filter(|held| !held.is_held()).map(|held| {
            format!(
                "{}, {} connections: {:.2}, below {:.2}",
                held.target, held.connections, held.ratio, held.floor
            )
        });
        let unmet = |load: &&Load| !load.is_met();
        let loads = self
            .breaking
            .loads
            .iter()
            .filter(unmet)
            .map(|load| format!("{}: too slow, or errors", load.what));
        let wrong: Vec<String> = floors.chain(loads).chain(self.not_flat()).chain(self.too_large()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(failed(wrong.join("; "))) }
    }

    fn not_flat(&self) -> Option<String> {
        let curve = self.growth.curves.iter().find(|curve| curve.grows == "people waiting")?;
        let last = curve.points.last()?;
        let is_flat = last.ratio.1 >= 1.0 - FLAT;
        (!is_flat).then(|| {
            format!("{} with {} waiting: {:.2} of those with ten", curve.what, last.size, last.ratio.1)
        })
    }

    fn too_large(&self) -> Option<String> {
        let each = self.growth.idle.bytes_each();
        (each > idle::CEILING).then(|| format!("an idle connection costs {each} bytes"))
    }
}

fn file_of(grows: &str) -> String {
    format!("by-{}.svg", grows.replace(' ', "-"))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
