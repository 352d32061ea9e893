//! The adapter alone, and the load on its server.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CONNECTIONS, Pair};
use crate::affinity;
use crate::stats::{Rounds, spread};
use test_support::workspace::cargo;
use test_support::workspace::output;
use test_support::{Doing as _, Outcome, RedisBinaries, failed};

/// The benchmark program of the adapter, built.
pub(super) struct Program(PathBuf);

impl Program {
    pub(super) fn build() -> Outcome<Self> {
        let mut build = cargo(&[
            "bench",
            "--locked",
            "--package",
            "adapter-redis",
            "--bench",
            "line",
            "--no-run",
        ]);
        let reported = output(build.args(["--message-format", "json"]))?;
        let path = reported.split("\"executable\":\"").last().and_then(|rest| rest.split_once('"'));
        let (path, _) = path.ok_or_else(|| failed("cargo reports no executable"))?;
        Ok(Self(PathBuf::from(path)))
    }

    /// Runs it on the server's core and returns its output.
    fn run(&self, words: &[&str]) -> Outcome<String> {
        output(affinity::on(affinity::SERVER, &self.0).args(words))
    }
}

/// Whether joins were batched, and which confirmation completed them.
pub(super) const KINDS: [(&str, &str); 3] =
    [("batched", "primary"), ("single", "primary"), ("batched", "replicated")];

/// One run of joins.
pub(super) struct Joins {
    pub(super) kind: (&'static str, &'static str),
    pub(super) askers: u32,
    pub(super) per_second: f64,
    /// Microseconds of the primary's processor time a join.
    pub(super) redis_micros: f64,
}

pub(super) struct Alone(Vec<Joins>);

pub(super) fn measure_joins(
    binaries: &RedisBinaries,
    program: &Program,
    rounds: &Rounds,
    out: &Path,
) -> Outcome<Alone> {
    let pair = Pair::start(binaries)?;
    let mut all = Vec::new();
    for round in 1..=rounds.rounds {
        for askers in CONNECTIONS {
            for kind in KINDS {
                pair.primary.command(&["FLUSHALL"])?;
                let before = pair.primary.process_cpu()?;
                let (url, seconds, count) =
                    (pair.url(), rounds.seconds.to_string(), askers.to_string());
                let text =
                    program.run(&["join", &url, "bench", &seconds, &count, kind.0, kind.1])?;
                let spent = (pair.primary.process_cpu()? - before).as_secs_f64();
                let file = format!("adapter-join-{}-{}-{askers}-round{round}.txt", kind.0, kind.1);
                let kept = format!("{text}primary used {spent:.2} s of processor time\n");
                fs::write(out.join(&file), kept).doing(format!("writing {file}"))?;
                let joins = number_after(&text, "joins ")?;
                let one = Joins {
                    kind,
                    askers,
                    per_second: joins / f64::from(rounds.seconds),
                    redis_micros: spent * 1e6 / joins,
                };
                println!(
                    "round {round}, {askers} askers, {kind:?}: {:.0}/s, {:.2} us",
                    one.per_second, one.redis_micros
                );
                all.push(one);
            }
        }
    }
    Ok(Alone(all))
}

impl Alone {
    /// Lowest, median and highest of a figure over the rounds.
    pub(super) fn figures(
        &self,
        kind: (&str, &str),
        askers: u32,
        of: fn(&Joins) -> f64,
    ) -> (f64, f64, f64) {
        spread(self.0.iter().filter(|joins| joins.kind == kind && joins.askers == askers).map(of))
    }
}

/// A queue with many waiting people.
pub(super) struct Crowd {
    pub(super) people: u64,
    pub(super) bytes_each: f64,
    /// How long calling ten thousand people in one step keeps Redis busy.
    pub(super) call_millis: f64,
}

/// People called in one step.
pub(super) const CALLED: &str = "10000";

pub(super) fn measure_crowd(
    binaries: &RedisBinaries,
    program: &Program,
    people: u64,
    out: &Path,
) -> Outcome<Crowd> {
    let pair = Pair::start(binaries)?;
    let used = || -> Outcome<f64> {
        number_after(&pair.primary.command(&["INFO", "memory"])?, "used_memory:")
    };
    let before = used()?;
    let filled = program.run(&["fill", &pair.url(), "crowd", &people.to_string()])?;
    let after = used()?;
    // Filling used up the budget of one person an hour; the next step needs the whole budget.
    pair.primary.command(&["HSET", "boxoffice:{crowd}:line", "spent", "0"])?;
    pair.primary.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])?;
    pair.primary.command(&["SLOWLOG", "RESET"])?;
    let called = program.run(&["call", &pair.url(), "crowd", CALLED])?;
    let slow = pair.primary.command(&["SLOWLOG", "GET", "100"])?;
    let micros = micros_of_the_script(&slow)?;
    let kept = format!(
        "used_memory before {before}, after {after}\n{filled}{called}the script took {micros} us\n\nSLOWLOG GET\n{slow}\n"
    );
    fs::write(out.join("crowd.txt"), kept).doing("writing crowd.txt")?;
    if !called.contains(&format!("called {CALLED}")) {
        return Err(failed(format!("fewer people than expected were called: {called}")));
    }
    Ok(Crowd { people, bytes_each: (after - before) / people as f64, call_millis: micros / 1e3 })
}

/// The longest run of a script in a slow log, as redis-cli prints it: the line before the command
/// holds the microseconds.
fn micros_of_the_script(slow: &str) -> Outcome<f64> {
    let lines: Vec<&str> = slow.lines().collect();
    let scripts =
        lines.iter().enumerate().filter(|(_, line)| line.to_uppercase().contains("EVALSHA"));
    let micros =
        scripts.filter_map(|(n, _)| lines.get(n.checked_sub(1)?)?.trim().parse::<f64>().ok());
    micros.max_by(f64::total_cmp).ok_or_else(|| failed(format!("no script in {slow}")))
}

fn number_after(text: &str, words: &str) -> Outcome<f64> {
    let number =
        text.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| failed(format!("no number after {words:?} in {text}")))
}
