//! Tables and charts of a benchmark, for its own page and for the load report.

use std::fmt::Write as _;
use std::path::Path;

use super::growth::{Curve, Growth};
use super::knee::{GENERATORS, GOOD, IN_TIME, Knees, Step};
use super::ratios::{self, BUSY};
use super::replaced_service_loads::Breaking;
use super::report::Results;
use crate::plot::{Chart, Series, draw};
use crate::stats::{mib, time};
use test_support::Outcome;

/// The quantities that grow, with a chart each.
pub(crate) const GROWS: [&str; 3] = ["people waiting", "connections", "concerts"];

/// The required and the measured ratios.
pub(crate) fn floors(results: &Results) -> String {
    let mut text = format!(
        "By requests a second if the server was busy for at least {BUSY} of its core, by its processor\ntime if it \
         had to wait for the generator or for Redis, which share the other core.\n\n\
         | measurement | connections | at least | measured | by | |\n|---|---|---|---|---|---|\n"
    );
    for held in ratios::floors(results) {
        let verdict = if held.is_held() { "held" } else { "NOT held" };
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {} | {verdict} |",
            held.target, held.connections, held.floor, held.ratio, held.by
        );
    }
    text
}

/// Tables and charts of the curves; `folder` is the path of the charts relative to the page.
pub(crate) fn growth(growth: &Growth, folder: &str) -> String {
    let mut text = format!(
        "Built from {}. A ratio compares requests per second of the server's processor time with\nthose at the first \
         size in the same round: median (lowest to highest).\n",
        growth.environment.built()
    );
    growth.curves.iter().for_each(|curve| text += &curve_table(curve));
    for grows in GROWS {
        let _ = write!(text, "\n![cost by {grows}]({folder}{})\n", file_of(grows));
    }
    let idle = &growth.idle;
    let _ = write!(
        text,
        "\nAn idle connection that has sent one request takes {} bytes of the process ({:.1} MiB with\nnone, {:.1} MiB \
         with {}; the kernel's memory for a socket is not included).\n",
        idle.bytes_each(),
        mib(idle.before),
        mib(idle.after),
        idle.connections
    );
    text
}

fn curve_table(curve: &Curve) -> String {
    let Curve { what, grows, rounds, seconds, points } = curve;
    let mut text = format!(
        "\n{what}, by {grows}; {rounds} rounds of {seconds} s:\n\n\
         | {grows} | on connections | requests/s | ratio | p99 | memory of the process | errors |\n|---|---|---|---|---|---|---|\n"
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
    text
}

/// Draws the curves of one quantity into a folder.
pub(crate) fn growth_chart(growth: &Growth, grows: &str, folder: &Path) -> Outcome {
    let same = growth.curves.iter().filter(|curve| curve.grows == grows);
    let series = same.map(|curve| Series {
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
    draw(&chart, &folder.join(file_of(grows)))
}

/// The loads of the replaced service.
pub(crate) fn breaking(breaking: &Breaking) -> String {
    let mut text = format!(
        "One connection for each of its users, which sends its next request as soon as the previous one is\nanswered; \
         Redis and Postgres share the generator's core. Times run from sending to the complete\nresponse, without \
         connecting. Errors are of all rounds together, the other figures are of the round\nwith the median p95. \
         Built from {}.\n\n\
         | load | connections | requests/s | p50 | p90 | p95 | p99 | p99.9 | errors | server load | memory | required p95 | settings |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        breaking.environment.built()
    );
    for load in &breaking.loads {
        let Some(median) = load.median() else { continue };
        let figures = &median.figures;
        let times = [figures.p50, figures.p90, figures.p95, figures.p99, figures.p999]
            .map(time)
            .join(" | ");
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {times} | {} | {:.2} | {:.0} MiB | {} | {} |",
            load.what,
            load.connections,
            median.per_second(),
            load.errors(),
            median.server_load,
            mib(median.memory),
            load.limit.map_or_else(|| "none".to_owned(), time),
            if load.settings.is_empty() { "default" } else { &load.settings }
        );
    }
    text
}

/// The knees, and the behaviour at twice the knee.
pub(crate) fn knees(knees: &Knees) -> String {
    let mut text = format!(
        "An open model: requests are sent when they are due and are timed from then. The service, Redis and\nPostgres \
         share one core; one generator thread has the other, and gets {:.0} constant responses a\nsecond. The knee is \
         the highest rate at which {:.0} % of the responses are good during the step, p99\nwithin {}, none refused and \
         none failed; found by steps of a half, then of a tenth. Above\n{:.0} % of the generator's own limit it may \
         be the generator's. Built from {}.\n\n\
         | request | | due per second | good per second | refused | failed | p50 | p99 | p99.9 | the service's share of the core | settings |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
        knees.generator,
        GOOD * 100.0,
        time(IN_TIME),
        GENERATORS * 100.0,
        knees.environment.built()
    );
    for knee in &knees.knees {
        let of_generator = knee.offered() as f64 > GENERATORS * knees.generator;
        let at = if of_generator { "the knee, or the generator's" } else { "the knee" };
        let at_knee = knee.steps.iter().rev().find(|step| step.offered == knee.offered());
        let rows = [
            ("half of it, before", Some(&knee.calm)),
            (at, at_knee),
            ("twice the knee", Some(&knee.twice)),
            ("half of it, after", Some(&knee.after)),
        ];
        for (when, step) in rows {
            let Some(step) = step else { continue };
            let _ =
                writeln!(text, "| {} | {when} | {} | {} |", knee.what, row(step), knee.settings);
        }
    }
    text
}

fn row(step: &Step) -> String {
    let times = [step.p50, step.p99, step.p999].map(time).join(" | ");
    format!(
        "{} | {:.0} | {} | {} | {times} | {:.2}",
        step.offered, step.good, step.refused, step.failed, step.server_load
    )
}

fn file_of(grows: &str) -> String {
    format!("by-{}.svg", grows.replace(' ', "-"))
}
