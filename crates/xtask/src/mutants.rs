//! `cargo xtask mutants`: makes small changes to the domain's queue, and checks that a test catches
//! each.

mod changes;
mod report;
mod tool;

use std::fs;

use clap::Args;
use serde::Deserialize;

use changes::{Changes, QUEUE};
use test_support::workspace::root;
use test_support::{Doing as _, Outcome, failed};
use tool::{Selection, Tool};

/// The mutants to test: the whole queue by default.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only lines that differ from this commit; fails on any mutant that no test catches. Without a
    /// commit, does the same as `cargo xtask check`
    #[arg(long, value_name = "BASE", num_args = 0..=1)]
    in_diff: Option<Option<String>>,
    /// Only files that match this glob
    #[arg(long, value_name = "GLOB")]
    file: Option<String>,
    /// Only mutants whose names, as `--list` prints them, match this regular expression
    #[arg(long, value_name = "REGEX")]
    re: Option<String>,
    /// Print the names of the mutants and test none
    #[arg(long)]
    list: bool,
    /// Mutants to build and test at the same time, each in a copy of the tree
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// The share of viable mutants that tests must catch.
const LEAST_SHARE: f64 = 0.95;
/// The most mutants of a change that CI tests: about ten minutes on two cores.
const MOST_IN_CHECK: usize = 80;

/// Tests mutants and reports the outcome of each.
pub(crate) fn mutants(arguments: &Arguments) -> Outcome {
    if let Some(None) = arguments.in_diff {
        return check_changes();
    }
    let tool = Tool::find_or_install()?;
    let base = arguments.in_diff.as_ref().and_then(Option::as_ref);
    let selection = Selection {
        files: arguments.file.clone(),
        names: arguments.re.iter().cloned().collect(),
        diff: base.map(|base| changes::diff(&root(), base)).transpose()?,
        jobs: arguments.jobs,
        shard: None,
    };
    if arguments.list {
        tool.list(&selection)?.iter().for_each(|mutant| println!("{mutant}"));
        return Ok(());
    }
    if base.is_some() {
        return test_changes(&tool, &selection);
    }
    check_exclusions(&tool)?;
    let report = tool.test(&selection)?;
    println!("{report}");
    if report.share() >= LEAST_SHARE {
        return Ok(());
    }
    Err(failed(format!("tests catch less than {:.0} % of the viable mutants", LEAST_SHARE * 100.0)))
}

/// The mutants step of `cargo xtask check`: tests mutants of the lines that differ from the main
/// branch, or on main from the previous commit. Uncommitted edits count too.
pub(crate) fn check_changes() -> Outcome {
    let selection = match Changes::of_the_last_commits(&root())? {
        Changes::Lines { base, diff } if diff.is_empty() => {
            println!("mutants: none tested, since no line of {QUEUE} differs from {base}");
            return Ok(());
        }
        Changes::Lines { base, diff } => {
            println!("mutants: testing those of lines that differ from {base}");
            Selection { diff: Some(diff), ..Selection::default() }
        }
        Changes::Unknown { why } => {
            println!("mutants: {why}, so each line counts as changed");
            Selection::default()
        }
    };
    let tool = Tool::find_or_install()?;
    let shard = shard(tool.list(&selection)?.len(), changes::head(&root()).as_deref());
    if let Some((number, shards)) = shard {
        println!(
            "mutants: more than {MOST_IN_CHECK}, so only part {number} of {shards} is tested, which the \
             commit picks; `cargo xtask mutants` tests all"
        );
    }
    test_changes(&tool, &Selection { shard, ..selection })
}

fn test_changes(tool: &Tool, selection: &Selection) -> Outcome {
    if tool.list(selection)?.is_empty() {
        println!("mutants: none tested, since there is nothing to mutate in the changed lines");
        return Ok(());
    }
    let report = tool.test(selection)?;
    println!("{report}");
    match report.missed() {
        0 => Ok(()),
        missed => Err(failed(format!(
            "tests miss {missed} mutants of changed lines: add a test, simplify the code, or list a mutant \
             that changes no behaviour in .cargo/mutants.toml with the reason"
        ))),
    }
}

/// Which part of the mutants to test, from 0, and the number of parts; `None` for all. The same
/// commit always tests the same part.
fn shard(mutants: usize, commit: Option<&str>) -> Option<(usize, usize)> {
    let shards = mutants.div_ceil(MOST_IN_CHECK);
    let digits = commit.and_then(|id| usize::from_str_radix(id.get(..8)?, 16).ok());
    (shards > 1).then(|| (digits.unwrap_or(0) % shards, shards))
}

/// The part of `.cargo/mutants.toml` that is checked.
#[derive(Deserialize)]
struct Config {
    exclude_re: Vec<String>,
}

/// Each exclusion must match a mutant: a stale one would hide the next mutant of that name.
fn check_exclusions(tool: &Tool) -> Outcome {
    let text =
        fs::read_to_string(root().join(tool::CONFIG)).doing(format!("reading {}", tool::CONFIG))?;
    let config: Config =
        toml::from_str(&text).map_err(|error| failed(format!("{}: {error}", tool::CONFIG)))?;
    for pattern in config.exclude_re {
        if tool.list_excluded(&pattern)?.is_empty() {
            return Err(failed(format!(
                "{}: no mutant matches `{pattern}` any more",
                tool::CONFIG
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_with_many_mutants_is_tested_in_part_and_the_commit_picks_the_part() {
        assert_eq!(shard(0, Some("0000000f")), None);
        assert_eq!(shard(MOST_IN_CHECK, Some("0000000f")), None);
        assert_eq!(shard(MOST_IN_CHECK + 1, Some("0000000f1234")), Some((1, 2)));
        assert_eq!(shard(MOST_IN_CHECK * 4, Some("0000000f1234")), Some((3, 4)));
        assert_eq!(shard(MOST_IN_CHECK * 4, None), Some((0, 4)));
    }
}
