//! The table of a benchmark run.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::measure::{Measurement, Target};
use crate::environment::Environment;
use crate::stats::{Rounds, middle_half, spread, time};
use test_support::{Outcome, failed};

/// All measurements of a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Results {
    environment: Environment,
    rounds: Rounds,
    measured: Vec<Measurement>,
}

/// One figure of a measurement.
pub(crate) type Figure = fn(&Measurement) -> f64;

/// The reference of every ratio.
pub(crate) const BASELINE: &str = "constant answer";

impl Results {
    pub(crate) fn new(rounds: Rounds) -> Self {
        Self {
            environment: Environment::now(&[&["wrk", "--version"]]),
            rounds,
            measured: Vec::new(),
        }
    }

    /// Measures all targets in turn, round after round.
    pub(crate) fn measure(&mut self, targets: &[Target<'_>], out: &Path) -> Outcome {
        for round in 1..=self.rounds.rounds {
            self.measure_round(round, targets, out)?;
        }
        Ok(())
    }

    /// Measures all targets once on each number of connections.
    pub(crate) fn measure_round(
        &mut self,
        round: u32,
        targets: &[Target<'_>],
        out: &Path,
    ) -> Outcome {
        for connections in super::CONNECTIONS {
            for target in targets {
                self.measured.push(target.measure(connections, self.rounds.seconds, out, round)?);
            }
        }
        Ok(())
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.rounds
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Errors invalidate a run: a fast wrong answer is not a result.
    pub(crate) fn check_clean(&self) -> Outcome {
        let unclean: Vec<&Measurement> =
            self.all().filter(|measured| measured.figures.errors > 0).collect();
        match unclean.first() {
            None => Ok(()),
            Some(first) => Err(failed(format!(
                "{} measurements had errors, such as {}",
                unclean.len(),
                first.target
            ))),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Measurement> {
        self.measured.iter()
    }

    fn rate(&self, of: Figure, target: &str, connections: u32, round: u32) -> Option<f64> {
        let same = |m: &&Measurement| {
            m.target == target && m.connections == connections && m.round == round
        };
        self.all().find(same).map(of)
    }

    /// Lowest, median and highest ratio of all rounds.
    pub(crate) fn ratios(
        &self,
        of: Figure,
        target: &str,
        to: &str,
        connections: u32,
    ) -> (f64, f64, f64) {
        spread(self.each_ratio(of, target, to, connections))
    }

    /// Lowest, median and highest ratio of the middle half of the rounds.
    pub(crate) fn usual_ratios(
        &self,
        of: Figure,
        target: &str,
        to: &str,
        connections: u32,
    ) -> (f64, f64, f64) {
        middle_half(self.each_ratio(of, target, to, connections))
    }

    fn each_ratio(
        &self,
        of: Figure,
        target: &str,
        to: &str,
        connections: u32,
    ) -> impl Iterator<Item = f64> {
        (1..=self.rounds.rounds).filter_map(move |round| {
            Some(
                self.rate(of, target, connections, round)?
                    / self.rate(of, to, connections, round)?,
            )
        })
    }

    /// The table, with an introduction on the target and the method.
    pub(crate) fn markdown(&self, title: &str, what: &str) -> String {
        let mut text = format!(
            "# {title}\n\n\
             {what} Raw output of wrk beside this page. Machine: {}. Built from {}.\n\n\
             One server worker on one core, wrk with one thread on another; {} rounds of {} s a measurement, each \
             round measuring everything in turn. A ratio is to the constant answer of the same round and number of \
             connections. All middleware is on, but for the constant answer, which has none.\n\n\
             Where the server's load is below 1, the generator was the slower of the two and the first ratio flatters; \
             the second ratio, of requests per second of the server's processor time, does not depend on that.\n\n",
            self.environment.machine(),
            self.environment.built(),
            self.rounds.rounds,
            self.rounds.seconds,
        );
        text += &self.table();
        text
    }

    /// A table of every kind of measurement, relative to the constant answer.
    pub(crate) fn table(&self) -> String {
        let mut text = "\
| measurement | connections | requests/s, median | server load | ratio: median (lowest to highest) | ratio by processor time | p99, median round |
|---|---|---|---|---|---|---|
"
        .to_owned();
        for (target, connections) in self.kinds() {
            let Some(median) = self.median(target, connections) else { continue };
            let (low, middle, high) =
                self.ratios(Measurement::per_second, target, BASELINE, connections);
            let (cpu_low, cpu, cpu_high) =
                self.ratios(|m| m.per_cpu_second, target, BASELINE, connections);
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "| {target} | {connections} | {:.0} | {:.2} | {middle:.2} ({low:.2} to {high:.2}) | \
                 {cpu:.2} ({cpu_low:.2} to {cpu_high:.2}) | {} |",
                median.per_second(),
                median.server_load,
                time(median.figures.p99)
            );
        }
        text
    }

    /// The median round of a target, by requests a second.
    pub(crate) fn median(&self, target: &str, connections: u32) -> Option<&Measurement> {
        let mut runs: Vec<_> =
            self.all().filter(|m| m.target == target && m.connections == connections).collect();
        runs.sort_by(|a, b| a.per_second().total_cmp(&b.per_second()));
        runs.get(runs.len() / 2).copied()
    }

    /// One measurement as a ratio to another, by processor time.
    pub(crate) fn compared(&self, title: &str, target: &str, to: &str) -> String {
        self.compared_by(&format!("{title}, by processor time"), |m| m.per_cpu_second, target, to)
    }

    /// One measurement as a ratio to another, by requests a second.
    pub(crate) fn compared_rates(&self, title: &str, target: &str, to: &str) -> String {
        self.compared_by(
            &format!("{title}, by requests a second"),
            Measurement::per_second,
            target,
            to,
        )
    }

    fn compared_by(&self, title: &str, of: Figure, target: &str, to: &str) -> String {
        let mut text = format!("\n{title}:\n\n");
        for connections in super::CONNECTIONS {
            let (low, middle, high) = self.ratios(of, target, to, connections);
            let _ =
                writeln!(text, "- {connections} connections: {middle:.2} ({low:.2} to {high:.2})");
        }
        text
    }

    /// Every kind of measurement, in the order of the first round.
    pub(crate) fn kinds(&self) -> Vec<(&str, u32)> {
        let first = self.all().filter(|m| m.round == 1);
        let mut kinds: Vec<_> = first.map(|m| (m.target.as_str(), m.connections)).collect();
        kinds.sort_by_key(|(_, connections)| *connections);
        kinds
    }
}
