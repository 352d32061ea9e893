//! The outcomes of mutants, by file and in total.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use test_support::{Doing as _, Outcome};

/// The outcome of one mutant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// A test failed.
    Caught,
    /// All tests passed.
    Missed,
    /// The tests did not end, so a person would notice; counted separately from caught mutants.
    TimedOut,
    /// It does not compile.
    Unviable,
}

/// The files in which cargo-mutants lists mutants by outcome.
const LISTS: [(&str, Fate); 4] = [
    ("caught.txt", Fate::Caught),
    ("missed.txt", Fate::Missed),
    ("timeout.txt", Fate::TimedOut),
    ("unviable.txt", Fate::Unviable),
];

/// The outcome of each mutant, by its name: `path:line:column: change`.
#[derive(Debug, Default)]
pub(super) struct Report {
    fates: BTreeMap<String, Fate>,
}

impl Report {
    /// Reads the results of a run from this folder.
    pub(super) fn read(folder: &Path) -> Outcome<Self> {
        let mut report = Self::default();
        for (file, fate) in LISTS {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).doing(format!("reading {}", path.display()))?;
            report.fates.extend(text.lines().map(|name| (name.to_owned(), fate)));
        }
        Ok(report)
    }

    /// Adds a second run over the mutants that the first one missed. It may contain others: with
    /// cargo-mutants 27.1.0, `--re` does not exclude mutants that delete a field.
    pub(super) fn add(&mut self, again: &Self) {
        let missed = self.fates.iter_mut().filter(|(_, fate)| **fate == Fate::Missed);
        for (name, fate) in missed {
            *fate = again.fates.get(name).copied().unwrap_or(*fate);
        }
    }

    /// The names of the mutants with this outcome.
    pub(super) fn names(&self, fate: Fate) -> impl Iterator<Item = &str> {
        self.fates.iter().filter(move |(_, is)| **is == fate).map(|(name, _)| name.as_str())
    }

    fn count(&self, fate: Fate) -> usize {
        self.names(fate).count()
    }

    /// The number of mutants that no test catches.
    pub(super) fn missed(&self) -> usize {
        self.count(Fate::Missed)
    }

    fn viable(&self) -> usize {
        self.fates.len() - self.count(Fate::Unviable)
    }

    /// The share of viable mutants that tests catch, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        match self.viable() {
            0 => 1.0,
            viable => self.count(Fate::Caught) as f64 / viable as f64,
        }
    }
}

/// The path in the name of a mutant.
fn file_of(name: &str) -> &str {
    name.split_once(':').map_or(name, |(file, _)| file)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
        for (name, fate) in &self.fates {
            files.entry(file_of(name)).or_default()[*fate as usize] += 1;
        }
        let width = files.keys().map(|file| file.len()).max().unwrap_or_default();
        writeln!(f, "\n{:width$}  caught  missed  timed out  unviable", "")?;
        for (file, [caught, missed, timed_out, unviable]) in files {
            writeln!(f, "{file:width$}  {caught:6}  {missed:6}  {timed_out:9}  {unviable:8}")?;
        }
        for (title, fate) in [("missed", Fate::Missed), ("timed out", Fate::TimedOut)] {
            self.names(fate).try_for_each(|name| writeln!(f, "{title}: {name}"))?;
        }
        write!(
            f,
            "{} caught, {} missed, {} timed out, {} unviable: tests catch {:.1} % of {} viable mutants",
            self.count(Fate::Caught),
            self.missed(),
            self.count(Fate::TimedOut),
            self.count(Fate::Unviable),
            self.share() * 100.0,
            self.viable(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lists: [&[&str]; 4]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for ((file, _), names) in LISTS.iter().zip(lists) {
            let text: String = names.iter().map(|name| format!("{name}\n")).collect();
            fs::write(folder.path().join(file), text).unwrap();
        }
        Report::read(folder.path()).unwrap()
    }

    #[test]
    fn the_share_is_of_viable_mutants_and_a_time_out_is_not_a_catch() {
        let report = report([
            &["a.rs:1:1: x", "a.rs:2:1: x"],
            &["b.rs:1:1: x"],
            &["b.rs:2:1: x"],
            &["b.rs:3:1: x"],
        ]);
        assert_eq!(report.missed(), 1);
        assert!((report.share() - 0.5).abs() < 1e-9);
        let text = report.to_string();
        assert!(text.contains("a.rs       2       0          0         0"), "{text}");
        assert!(text.contains("b.rs       0       1          1         1"), "{text}");
        assert!(text.contains("missed: b.rs:1:1: x\ntimed out: b.rs:2:1: x\n"), "{text}");
        assert!(text.ends_with(
            "2 caught, 1 missed, 1 timed out, 1 unviable: tests catch 50.0 % of 4 viable mutants"
        ));
    }

    #[test]
    fn a_mutant_caught_by_a_second_run_is_not_missed() {
        let mut first = report([&["a.rs:1:1: x"], &["a.rs:2:1: x", "a.rs:3:1: x"], &[], &[]]);
        first.add(&report([
            &["a.rs:2:1: x"],
            &["a.rs:1:1: x", "a.rs:3:1: x", "b.rs:1:1: x"],
            &[],
            &[],
        ]));
        assert_eq!(first.names(Fate::Missed).collect::<Vec<_>>(), ["a.rs:3:1: x"]);
        assert_eq!(first.names(Fate::Caught).collect::<Vec<_>>(), ["a.rs:1:1: x", "a.rs:2:1: x"]);
    }
}
