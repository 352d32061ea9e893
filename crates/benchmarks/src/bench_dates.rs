//! `cargo xtask bench-dates`: the dates query through the adapter, against pgbench with the same
//! prepared statement.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::database::Filled;
use crate::postgres_benchmark::DatesProgram;
use crate::stats::{Rounds, spread};
use test_support::workspace::output;
use test_support::workspace::root;
use test_support::{Doing as _, Outcome, failed};

/// The arguments of `cargo xtask bench-dates`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    measure: Rounds,
    /// Concerts in the database
    #[arg(long, default_value_t = 10_000)]
    concerts: u32,
    /// Seats in the database
    #[arg(long, default_value_t = 1_000_000)]
    seats: u64,
    /// Folder for raw output and the table, relative to the repository
    #[arg(long, default_value = "loadtest/results/postgres")]
    out: PathBuf,
}

/// The script of pgbench, in the folder of the results.
const SCRIPT: &str = "dates.sql";

/// The pool's connections, and pgbench's.
const CONNECTIONS: [u32; 2] = [1, 10];

/// Allowed time of a query through the adapter relative to pgbench, with one client.
const LIMIT: f64 = 3.0;

/// Microseconds a query takes, with pgbench and through the adapter.
struct Round {
    connections: u32,
    pgbench: f64,
    adapter: f64,
}

/// Runs it.
///
/// # Errors
/// If a tool is missing, or the build or a measurement fails.
pub fn bench_dates(arguments: &Arguments) -> Outcome {
    let out = root().join(&arguments.out);
    fs::create_dir_all(&out).doing(format!("making {}", out.display()))?;
    let program = DatesProgram::build()?;
    let filled = Filled::start(arguments.concerts, arguments.seats)?;
    fs::write(out.join(SCRIPT), pgbench_script(&program.statement()?, arguments.concerts))
        .doing("writing a script")?;

    let mut rounds = Vec::new();
    for round in 1..=arguments.measure.rounds {
        for connections in CONNECTIONS {
            let keep = |name: &str, text: &str| {
                let path = out.join(format!("{name}-{connections}-round{round}.txt"));
                fs::write(&path, text).doing(format!("writing {}", path.display()))
            };
            let by_pgbench = pgbench(&filled, &out, connections, arguments.measure.seconds)?;
            keep("pgbench", &by_pgbench)?;
            let words = [
                filled.url(),
                connections.to_string(),
                arguments.measure.seconds.to_string(),
                arguments.concerts.to_string(),
            ];
            let through_adapter = program.run(&words.each_ref().map(String::as_str))?;
            keep("adapter", &through_adapter)?;
            let pgbench = 1_000.0 * number_after(&by_pgbench, "latency average = ")?;
            let adapter = number_after(&through_adapter, "mean ")?;
            println!(
                "round {round}, {connections} connections: pgbench {pgbench:.0} us, adapter {adapter:.0} us"
            );
            rounds.push(Round { connections, pgbench, adapter });
        }
    }
    let table = markdown(&rounds, arguments);
    fs::write(out.join("README.md"), &table).doing("writing the table")?;
    println!("\n{table}");
    let (_, median, _) = ratios(&rounds, 1);
    if median <= LIMIT {
        Ok(())
    } else {
        Err(failed(format!("the adapter takes {median:.2} times as long as pgbench")))
    }
}

/// The statement with pgbench's variables for its parameters; in prepared mode they are parameters
/// again.
fn pgbench_script(statement: &str, concerts: u32) -> String {
    let mut text = statement.to_owned();
    for (parameter, variable) in
        [("$1", ":now"), ("$2", ":now"), ("$3", ":none"), ("$4", ":concert")]
    {
        text = text.replace(parameter, variable);
    }
    format!("\\set concert random(1, {concerts})\n\\set none 0\n{text};\n")
}

fn pgbench(filled: &Filled, folder: &Path, connections: u32, seconds: u32) -> Outcome<String> {
    let now =
        filled.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")?;
    let mut command = filled.server.binaries().command("pgbench");
    let address = filled.server.address();
    command.args([
        "--no-vacuum",
        "--protocol=prepared",
        "--jobs=1",
        "--host=127.0.0.1",
        "--username=postgres",
    ]);
    command.arg(format!("--port={}", address.port())).arg(format!("--client={connections}"));
    command.arg(format!("--time={seconds}")).arg(format!("--define=now={now}")).current_dir(folder);
    output(command.args(["--file", SCRIPT, "postgres"]))
}

fn number_after(text: &str, words: &str) -> Outcome<f64> {
    let number =
        text.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| failed(format!("no number after {words:?} in {text}")))
}

/// Lowest, median and highest ratio of adapter to pgbench over the rounds.
fn ratios(rounds: &[Round], connections: u32) -> (f64, f64, f64) {
    let same = rounds.iter().filter(|round| round.connections == connections);
    spread(same.map(|round| round.adapter / round.pgbench))
}

fn markdown(rounds: &[Round], arguments: &Arguments) -> String {
    let Arguments { measure: Rounds { rounds: count, seconds }, concerts, seats, .. } = arguments;
    let mut text = format!(
        "# The dates question, against pgbench\n\n\
         Printed by `cargo xtask bench-dates`; raw output beside this page. A private Postgres server with {concerts} \
         concerts and {seats} seats, everything on one machine and warm. pgbench prepares the statement the adapter \
         sends (`dates.sql`) and asks for concerts at random, as the adapter's benchmark does; {count} rounds of \
         {seconds} s each, in turn. Time is from asking to the answer, in microseconds, means of a round; the adapter's \
         has the pool, the task, and the rows as domain values in it.\n\n\
         | connections | pgbench, by round | adapter, by round | ratio: median (lowest to highest) |\n|---|---|---|---|\n"
    );
    for connections in CONNECTIONS {
        let of = |time: fn(&Round) -> f64| {
            let same = rounds.iter().filter(|round| round.connections == connections);
            same.map(|round| format!("{:.0}", time(round))).collect::<Vec<_>>().join(", ")
        };
        let (low, median, high) = ratios(rounds, connections);
        let (pgbench, adapter) = (of(|round| round.pgbench), of(|round| round.adapter));
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {connections} | {pgbench} | {adapter} | {median:.2} ({low:.2} to {high:.2}) |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_sends_the_statement_of_the_adapter() {
        let script = pgbench_script("SELECT a WHERE b <= $1 AND c > $2 AND d > $3 AND e = $4", 10);
        let expected = "SELECT a WHERE b <= :now AND c > :now AND d > :none AND e = :concert;\n";
        assert_eq!(script, format!("\\set concert random(1, 10)\n\\set none 0\n{expected}"));
    }

    #[test]
    fn figures_are_parsed_from_the_output_of_both_programs() {
        assert!(
            (number_after("latency average = 0.132 ms\n", "latency average = ").unwrap() - 0.132)
                .abs()
                < 1e-9
        );
        assert!(
            (number_after("per second 7643 mean 130.7 us", "mean ").unwrap() - 130.7).abs() < 1e-9
        );
        assert!(number_after("nothing", "mean ").is_err());
    }

    #[test]
    fn the_ratio_is_the_median_of_the_rounds() {
        let round = |adapter| Round { connections: 1, pgbench: 100.0, adapter };
        let (low, median, high) = ratios(&[round(300.0), round(100.0), round(150.0)], 1);
        assert!(low < median && median < high && (median - 1.5).abs() < 1e-9);
    }
}
