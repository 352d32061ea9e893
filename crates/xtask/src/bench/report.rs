//! The table of a benchmark run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::measure::{self, Measurement, Target};
use crate::figures::{Rounds, spread};
use test_support::{Outcome, failed};

/// All measurements of a run.
pub(crate) struct Results {
    rounds: Rounds,
    measured: Vec<Measurement>,
}

/// One figure of a measurement.
type Figure = fn(&Measurement) -> f64;

/// What every ratio is to.
const YARDSTICK: &str = "constant answer";

impl Results {
    pub(crate) fn new(rounds: Rounds) -> Self {
        Self { rounds, measured: Vec::new() }
    }

    /// Measures all targets in turn, round after round.
    pub(crate) fn measure(&mut self, targets: &[Target<'_>], out: &Path) -> Outcome {
        let Rounds { rounds, seconds } = self.rounds;
        for round in 1..=rounds {
            for connections in super::CONNECTIONS {
                for target in targets {
                    let measured = measure::wrk(target, connections, seconds, out, round)?;
                    let (name, rate) = (target.name, measured.per_second);
                    println!("round {round}, {connections} connections, {name}: {rate:.0}/s");
                    self.measured.push(measured);
                }
            }
        }
        Ok(())
    }

    /// A fast wrong answer is no result.
    pub(crate) fn check_clean(&self) -> Outcome {
        let unclean: Vec<&Measurement> = self.all().filter(|measured| !measured.is_clean).collect();
        match unclean.first() {
            None => Ok(()),
            Some(first) => {
                Err(failed(format!("{} measurements had errors, such as {}", unclean.len(), first.target)))
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Measurement> {
        self.measured.iter()
    }

    fn rate(&self, of: Figure, target: &str, connections: u32, round: u32) -> Option<f64> {
        let same = |m: &&Measurement| m.target == target && m.connections == connections && m.round == round;
        self.all().find(same).map(of)
    }

    /// Lowest, median and highest of the rounds' ratios.
    fn ratios(&self, of: Figure, target: &str, to: &str, connections: u32) -> (f64, f64, f64) {
        let ratio =
            |round| Some(self.rate(of, target, connections, round)? / self.rate(of, to, connections, round)?);
        spread((1..=self.rounds.rounds).filter_map(ratio))
    }

    /// The table, below what was measured and how.
    pub(crate) fn markdown(&self, title: &str, what: &str) -> String {
        let mut text = format!(
            "# {title}\n\n\
             {what} Raw output of wrk beside this page. {}\n\n\
             One server worker on one core, wrk with one thread on another; {} rounds of {} s a measurement, each \
             round measuring everything in turn. A ratio is to the constant answer of the same round and number of \
             connections. All middleware is on, but for the constant answer, which has none.\n\n\
             Where the server's load is below 1, the generator was the slower of the two and the first ratio flatters; \
             the second ratio, of requests per second of the server's processor time, does not depend on that.\n\n\
             | measurement | connections | requests/s, median | server load | ratio: median (lowest to highest) | ratio by processor time | p99, median round |\n\
             |---|---|---|---|---|---|---|\n",
            machine(),
            self.rounds.rounds,
            self.rounds.seconds,
        );
        for (target, connections) in self.kinds() {
            let mut runs: Vec<_> =
                self.all().filter(|m| m.target == target && m.connections == connections).collect();
            runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
            let Some(median) = runs.get(runs.len() / 2) else { continue };
            let (low, middle, high) = self.ratios(|m| m.per_second, target, YARDSTICK, connections);
            let (cpu_low, cpu, cpu_high) = self.ratios(|m| m.per_cpu_second, target, YARDSTICK, connections);
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "| {target} | {connections} | {:.0} | {:.2} | {middle:.2} ({low:.2} to {high:.2}) | \
                 {cpu:.2} ({cpu_low:.2} to {cpu_high:.2}) | {} |",
                median.per_second, median.server_load, median.p99
            );
        }
        text
    }

    /// One measurement as a ratio to another, by processor time.
    pub(crate) fn compared(&self, title: &str, target: &str, to: &str) -> String {
        self.compared_by(&format!("{title}, by processor time"), |m| m.per_cpu_second, target, to)
    }

    /// One measurement as a ratio to another, by requests a second.
    pub(crate) fn compared_rates(&self, title: &str, target: &str, to: &str) -> String {
        self.compared_by(&format!("{title}, by requests a second"), |m| m.per_second, target, to)
    }

    fn compared_by(&self, title: &str, of: Figure, target: &str, to: &str) -> String {
        let mut text = format!("\n{title}:\n\n");
        for connections in super::CONNECTIONS {
            let (low, middle, high) = self.ratios(of, target, to, connections);
            let _ = writeln!(text, "- {connections} connections: {middle:.2} ({low:.2} to {high:.2})");
        }
        text
    }

    /// Every kind of measurement, in the order of the first round.
    fn kinds(&self) -> Vec<(&'static str, u32)> {
        let first = self.all().filter(|m| m.round == 1);
        let mut kinds: Vec<_> = first.map(|m| (m.target, m.connections)).collect();
        kinds.sort_by_key(|(_, connections)| *connections);
        kinds
    }
}

/// What the figures were measured on.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim()));
    // Of the machine, not of those this program was left.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("Machine: {cores} cores of {}.", model.unwrap_or("an unnamed processor"))
}
