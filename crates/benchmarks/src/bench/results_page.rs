//! The page of a benchmark: tables, charts, and unmet requirements.

use std::path::Path;

use super::growth::Growth;
use super::knee::Knees;
use super::replaced_service_loads::{Breaking, Load};
use super::report::Results;
use super::{idle_connections, ratios, read, tables};
use test_support::{Outcome, failed};

/// The saved parts, including those that this run did not measure.
pub(super) struct Page {
    ratios: Results,
    growth: Growth,
    breaking: Breaking,
    knees: Knees,
}

/// Allowed change of the cost of a request with a million people waiting.
const FLAT: f64 = 0.05;

impl Page {
    pub(super) fn read(out: &Path) -> Outcome<Self> {
        Ok(Self {
            ratios: read(out, "ratios")?,
            growth: read(out, "growth")?,
            breaking: read(out, "breaking")?,
            knees: read(out, "knee")?,
        })
    }

    /// Draws a chart for each quantity that grows.
    pub(super) fn draw(&self, out: &Path) -> Outcome {
        tables::GROWS.iter().try_for_each(|grows| tables::growth_chart(&self.growth, grows, out))
    }

    pub(super) fn markdown(&self) -> String {
        let what = "Printed by `cargo xtask bench`.";
        let mut text = self.ratios.markdown("What the service can do", what);
        text += "\n## What was asked for\n\n";
        text += &tables::floors(&self.ratios);
        text += "\n## How cost grows\n\n";
        text += &tables::growth(&self.growth, "");
        text += "\n## Where the replaced service failed, and where it was at its best\n\n";
        text += &tables::breaking(&self.breaking);
        text += "\n## The knee, and twice as much\n\n";
        text += &tables::knees(&self.knees);
        text
    }

    /// Fails unless every requirement is met.
    pub(super) fn verdict(&self) -> Outcome {
        self.ratios.check_clean()?;
        let floors =
            ratios::floors(&self.ratios).into_iter().filter(|held| !held.is_held()).map(|held| {
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
        let wrong: Vec<String> =
            floors.chain(loads).chain(self.not_flat()).chain(self.too_large()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(failed(wrong.join("; "))) }
    }

    fn not_flat(&self) -> Option<String> {
        let curve = self.growth.curves.iter().find(|curve| curve.grows == "people waiting")?;
        let last = curve.points.last()?;
        let is_flat = last.ratio.1 >= 1.0 - FLAT;
        (!is_flat).then(|| {
            format!(
                "{} with {} waiting: {:.2} of those with ten",
                curve.what, last.size, last.ratio.1
            )
        })
    }

    fn too_large(&self) -> Option<String> {
        let each = self.growth.idle.bytes_each();
        (each > idle_connections::CEILING).then(|| format!("an idle connection costs {each} bytes"))
    }
}
