//! Charts of the report.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use test_support::{Doing as _, Outcome};

use super::runs::{Kept, file_of};
use crate::bench::knee::{Knee, Knees, Step};
use crate::loadtest::saved_run::RESOURCES;
use crate::plot::{Chart, Series, draw};

/// Draws the cores that the service and k6 used over time.
pub(super) fn used(run: &Kept, folder: &Path) -> Outcome {
    let file = run.folder.join(RESOURCES);
    let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect())
        .collect();
    let series = |name: &str, column: usize| Series {
        name: name.to_owned(),
        points: rows
            .iter()
            .filter_map(|row| Some((*row.first()?, *row.get(column)?)))
            .filter(|(_, cores)| cores.is_finite())
            .collect(),
    };
    let series = [series("the service", 1), series("k6", 3)];
    let chart = Chart {
        title: &format!("Cores used: {}", run.name),
        x: "seconds",
        y: "cores",
        logarithmic: false,
        series: series.into_iter().filter(|series| !series.points.is_empty()).collect(),
    };
    draw(&chart, &folder.join(file_of(&run.name)))
}

/// Draws good answers and p99 against the offered rate, for all kinds of request together.
pub(super) fn knees(knees: &Knees, folder: &Path) -> Outcome {
    let series = |of: fn(&Step) -> f64| {
        let series = |knee: &Knee| {
            let mut points: Vec<(f64, f64)> = knee
                .steps
                .iter()
                .chain([&knee.twice])
                .map(|step| (step.offered as f64, of(step)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series { name: knee.what.clone(), points }
        };
        knees.knees.iter().map(series).collect()
    };
    let chart = |title, y, of| Chart {
        title,
        x: "due a second",
        y,
        logarithmic: false,
        series: series(of),
    };
    draw(&chart("Good answers", "good a second", |step| step.good), &folder.join(GOOD))?;
    draw(
        &chart("99th percentile, from being due", "ms", |step| step.p99 as f64 / 1e3),
        &folder.join(P99),
    )
}

const GOOD: &str = "knee-good.svg";
const P99: &str = "knee-p99.svg";

/// The two charts and the steps, for the page.
pub(super) fn knees_seen(knees: &Knees, beside: &str) -> String {
    let mut text = format!(
        "\n![good responses by rate]({beside}{GOOD})\n\n![p99 by rate]({beside}{P99})\n\nThe steps:\n\n"
    );
    text += "| request | due per second | good per second | refused | failed | p99 | served |\n|---|---|---|---|---|---|---|\n";
    for knee in &knees.knees {
        for step in &knee.steps {
            let served = if step.is_served() { "yes" } else { "no" };
            let p99 = crate::stats::time(step.p99);
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {} | {} | {p99} | {served} |",
                knee.what, step.offered, step.good, step.refused, step.failed
            );
        }
    }
    text
}
