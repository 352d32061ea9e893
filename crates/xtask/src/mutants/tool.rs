//! Installs and runs cargo-mutants.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::changes::QUEUE;
use super::report::{Fate, Report};
use crate::tools::CargoTool;
use test_support::workspace::{root, show, target};
use test_support::{Doing as _, Outcome, failed};

/// The configuration file of cargo-mutants.
pub(super) const CONFIG: &str = ".cargo/mutants.toml";

/// Another version makes other mutants, so the share would not compare.
const TOOL: CargoTool = CargoTool {
    name: "cargo-mutants",
    version: "27.1.0",
    requested: &["mutants", "--version"],
    options: &[],
};

/// The packages whose tests run, in this order, each on the mutants that the previous ones missed.
/// The domain's own tests are quick, and catch almost every mutant.
const TESTERS: [&str; 2] = ["domain", "adapter-memory"];

/// Stops a mutant that allocates in a loop before it exhausts the machine's memory.
const MOST_MEMORY: u64 = 4 << 30;

/// Property tests try the same cases each time, and do not shrink failures.
const PROPERTY_TESTS: [(&str, &str); 3] = [
    ("PROPTEST_RNG_SEED", "1"),
    ("PROPTEST_MAX_SHRINK_ITERS", "0"),
    ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1"),
];

/// Selects the mutants that match every field.
#[derive(Debug)]
pub(super) struct Selection {
    /// In files that match this glob; in all of the queue if `None`.
    pub(super) files: Option<String>,
    /// With a name that matches one of these regular expressions.
    pub(super) names: Vec<String>,
    /// In lines changed by this diff.
    pub(super) diff: Option<String>,
    /// Only part `.0` of `.1` parts.
    pub(super) shard: Option<(usize, usize)>,
    /// The number of mutants to build and test at the same time.
    pub(super) jobs: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self { files: None, names: Vec::new(), diff: None, shard: None, jobs: 1 }
    }
}

/// The installed program.
pub(super) struct Tool {
    program: PathBuf,
    /// The folder of results.
    results: PathBuf,
}

impl Tool {
    /// Finds the pinned version, or builds it into `tools` in cargo's target folder.
    pub(super) fn find_or_install() -> Outcome<Self> {
        Ok(Self { program: TOOL.find_or_install()?, results: target().join("mutants-results") })
    }

    /// The names of the mutants.
    pub(super) fn list(&self, selection: &Selection) -> Outcome<Vec<String>> {
        self.names(self.command("list", selection)?.arg("--list"))
    }

    /// The names of the mutants that an exclusion of the configuration leaves out.
    pub(super) fn list_excluded(&self, pattern: &str) -> Outcome<Vec<String>> {
        let selection = Selection { names: vec![pattern.to_owned()], ..Selection::default() };
        self.names(self.command("list", &selection)?.args(["--list", "--no-config"]))
    }

    fn names(&self, command: &mut Command) -> Outcome<Vec<String>> {
        let output = command.stderr(Stdio::inherit()).output().doing("starting cargo-mutants")?;
        if !output.status.success() {
            return Err(failed(format!("`{}` ended with {}", show(command), output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
    }

    /// Tests mutants with each package in turn.
    pub(super) fn test(&self, selection: &Selection) -> Outcome<Report> {
        let (first, others) =
            TESTERS.split_first().ok_or_else(|| failed("no package has tests to run"))?;
        let mut report = self.test_with(first, selection)?;
        for tester in others {
            let names: Vec<String> = report.names(Fate::Missed).map(exactly).collect();
            if !names.is_empty() {
                let missed = Selection { names, jobs: selection.jobs, ..Selection::default() };
                report.add(&self.test_with(tester, &missed)?);
            }
        }
        Ok(report)
    }

    fn test_with(&self, tester: &str, selection: &Selection) -> Outcome<Report> {
        println!("mutants: with the tests of {tester}");
        let mut command = self.command(tester, selection)?;
        command.args(["--test-package", tester, "--jobs", &selection.jobs.to_string()]);
        command.envs(PROPERTY_TESTS);
        let status = with_limited_memory(|| command.status().doing("starting cargo-mutants"))?;
        // 2: some mutants were missed; 3: some timed out.
        if matches!(status.code(), Some(0 | 2 | 3)) {
            Report::read(&self.results.join(tester).join("mutants.out"))
        } else {
            Err(failed(format!("cargo-mutants ended with {status}")))
        }
    }

    /// A command on this repository that writes its results to a folder of this name.
    fn command(&self, results: &str, selection: &Selection) -> Outcome<Command> {
        let folder = self.results.join(results);
        fs::create_dir_all(&folder).doing(format!("making {}", folder.display()))?;
        let mut command = Command::new(&self.program);
        command
            .current_dir(root())
            .args(["mutants", "--package", "domain", "--output"])
            .arg(&folder);
        let files = selection.files.clone().unwrap_or_else(|| format!("{QUEUE}/**/*.rs"));
        command.args(["--file", &files]);
        for name in &selection.names {
            command.args(["--re", name]);
        }
        if let Some(diff) = &selection.diff {
            let file = folder.join("changes.diff");
            fs::write(&file, diff).doing(format!("writing {}", file.display()))?;
            command.arg("--in-diff").arg(&file);
        }
        if let Some((number, shards)) = selection.shard {
            // Spreads each part over all files.
            command.args(["--sharding", "round-robin", "--shard", &format!("{number}/{shards}")]);
        }
        Ok(command)
    }
}

/// A regular expression that matches exactly this text.
fn exactly(text: &str) -> String {
    let mut pattern = String::from("^");
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern + "$"
}

/// Limits the memory of processes started by `start`.
fn with_limited_memory<T>(start: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let before = getrlimit(Resource::As);
    let most = before.current.map_or(MOST_MEMORY, |current| current.min(MOST_MEMORY));
    let set = |limit: Rlimit| setrlimit(Resource::As, limit).map_err(std::io::Error::from);
    set(Rlimit { current: Some(most), maximum: before.maximum }).doing("limiting memory")?;
    let done = start();
    set(before).doing("lifting the limit of memory")?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_special_characters_matches_exactly() {
        let name = "a.rs:1:2: replace << with >> in f -> Option<u64>";
        assert_eq!(exactly(name), r"^a\.rs:1:2: replace << with >> in f \-> Option<u64>$");
    }

    #[test]
    fn the_memory_limit_applies_only_to_processes_started_under_it() {
        let limit = || {
            let output =
                Command::new("sh").args(["-c", "ulimit -v"]).output().doing("starting sh")?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let outside = limit().unwrap();
        let within = with_limited_memory(limit).unwrap();
        assert!(within.parse::<u64>().unwrap() <= MOST_MEMORY / 1024, "{within}");
        assert_eq!(limit().unwrap(), outside);
    }
}
