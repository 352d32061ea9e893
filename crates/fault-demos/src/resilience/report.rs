//! The observations of a run, and whether they match expectations.

use std::fs;

use test_support::{Doing as _, Outcome, failed};

use test_support::workspace::root;

/// Prints each line as it is added.
#[derive(Default)]
pub(super) struct Report {
    text: String,
    wrongs: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref());
        self.text += line.as_ref();
        self.text.push('\n');
    }

    pub(super) fn expect(&mut self, holds: bool, what: impl Into<String>) {
        let what = what.into();
        self.add(format!("expected: {what}: {}", if holds { "yes" } else { "NO" }));
        self.wrongs.extend((!holds).then_some(what));
    }

    pub(super) fn save(&self, name: &str) -> Outcome {
        let folder = root().join("loadtest/results/protection");
        fs::create_dir_all(&folder).doing(format!("making {}", folder.display()))?;
        let file = folder.join(name).with_extension("txt");
        fs::write(&file, &self.text).doing(format!("writing {}", file.display()))
    }

    /// Fails unless all expectations hold.
    pub(super) fn verdict(self) -> Outcome {
        if self.wrongs.is_empty() {
            return Ok(());
        }
        Err(failed(format!("not as expected: {}", self.wrongs.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmet_expectation_fails_with_its_name() {
        let mut report = Report::default();
        report.expect(true, "one");
        assert_eq!(report.text, "expected: one: yes\n");
        report.expect(false, "two");
        assert_eq!(report.verdict().unwrap_err().to_string(), "not as expected: two");
    }
}
