//! `cargo xtask test`

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use test_support::{
    Durability, Postgres, SERVER_VARIABLE, find_or_install_api_checkers, find_or_install_haproxy,
    find_or_install_helm, find_or_install_influxdb, find_or_install_k6, find_or_install_nginx,
    find_or_install_pgbouncer, find_or_install_postgres, find_or_install_prometheus,
    find_or_install_redis,
};

use test_support::workspace::{cargo, show};
use test_support::{Doing as _, Outcome, failed};

use crate::image::{self, NotRun};

/// The numbers of passed, failed and ignored tests.
#[derive(Debug, Default, Eq, PartialEq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs every test of the workspace on private services, and prints the totals. An ignored test
/// counts as a failure.
pub(crate) fn test() -> Outcome {
    let binaries = find_or_install_postgres(|line| println!("{line}"))?;
    // Tests start their own poolers in front of the server.
    find_or_install_pgbouncer(|line| println!("{line}"))?;
    // Tests start their own Redis servers: what one does to a server would disturb others.
    find_or_install_redis(|line| println!("{line}"))?;
    // Rules and dashboards are tested with the programs that use them.
    find_or_install_prometheus(|line| println!("{line}"))?;
    // Small load tests run, and their results are checked in the stores that receive them.
    find_or_install_k6(|line| println!("{line}"))?;
    find_or_install_influxdb(|line| println!("{line}"))?;
    // The service is compared with the description of its API.
    find_or_install_api_checkers(|line| println!("{line}"))?;
    // The chart is rendered, and compared with the schemas of Kubernetes.
    find_or_install_helm(|line| println!("{line}"))?;
    // The load balancer configurations are tested with the load balancers.
    find_or_install_haproxy(|line| println!("{line}"))?;
    find_or_install_nginx(|line| println!("{line}"))?;
    let postgres = Postgres::start(binaries, Durability::None)?;
    println!(
        "a private Postgres server listens on {} until the tests are over",
        postgres.address()
    );
    let mut totals = Totals::default();
    let mut ended = Vec::new();
    for (name, arguments) in PARTS {
        let mut command = cargo(&["test", "--locked", "--no-fail-fast"]);
        command.args(*arguments);
        command.stdout(Stdio::piped()).env(SERVER_VARIABLE, postgres.url_without_database());
        println!("$ {}", show(&command));
        if !run(command, &mut totals)? {
            ended.push(*name);
        }
    }
    let without = try_the_image(&mut totals, &mut ended);
    println!(
        "\n{} passed, {} failed, {} skipped{}",
        totals.passed,
        totals.failed,
        totals.ignored + u64::from(without.is_some()),
        without.unwrap_or_default(),
    );
    let all_ran = totals.passed > 0 && totals.failed == 0 && totals.ignored == 0;
    if ended.is_empty() && all_ran {
        Ok(())
    } else {
        Err(failed(format!("some tests did not pass: {}", ended.join(", "))))
    }
}

/// Tries the image with the program that the tests have built. Returns why it was skipped, which is
/// no failure: not every machine has Docker.
fn try_the_image(totals: &mut Totals, ended: &mut Vec<&str>) -> Option<String> {
    match image::try_with_tested_program() {
        Ok(Ok(passed)) => totals.passed += passed,
        Ok(Err(NotRun(why))) => return Some(format!(" (the image was not tried: {why})")),
        Err(error) => {
            println!("{error}");
            totals.failed += 1;
            ended.push("the image");
        }
    }
    None
}

/// The parts of the suite. The example has a workspace of its own, and shares compiled
/// dependencies with this one.
const PARTS: &[(&str, &[&str])] = &[
    ("the workspace", &["--workspace"]),
    (
        "examples/sqlite-catalog",
        &["--manifest-path", "examples/sqlite-catalog/Cargo.toml", "--target-dir", "target"],
    ),
];

/// Runs tests, repeats what they print and counts them. Returns whether the command succeeded.
fn run(mut command: Command, totals: &mut Totals) -> Outcome<bool> {
    let shown = show(&command);
    let mut running = command.spawn().doing(format!("starting `{shown}`"))?;
    let output = running.stdout.take().ok_or_else(|| failed("the tests have no output"))?;
    for line in BufReader::new(output).lines() {
        let line = line.doing("reading what the tests print")?;
        totals.add(&line);
        println!("{line}");
    }
    Ok(running.wait().doing("waiting for the tests")?.success())
}

impl Totals {
    /// Adds the counts of a line such as `test result: ok. 12 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let Some((count, word)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_all_test_programs() {
        let mut totals = Totals::default();
        totals.add("running 3 tests");
        totals.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 1.50s",
        );
        totals
            .add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(totals, Totals { passed: 14, failed: 3, ignored: 1 });
    }
}
