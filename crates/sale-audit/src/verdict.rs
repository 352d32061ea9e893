//! The findings for each property, and the verdict on all of them.

use std::fmt::Write as _;

use super::history::History;
use super::request_and_response::Exchange;
use crate::settings::AuditSettings;

/// How many violations of one property are quoted.
const QUOTED: usize = 5;

/// The findings for one property.
pub(super) struct Property {
    name: &'static str,
    /// The noun for its cases.
    of: &'static str,
    cases: usize,
    violations: usize,
    examples: Vec<String>,
    notes: Vec<String>,
    is_asked: bool,
}

impl Property {
    pub(super) fn new(name: &'static str, of: &'static str) -> Self {
        let (examples, notes) = (Vec::new(), Vec::new());
        Self { name, of, cases: 0, violations: 0, examples, notes, is_asked: true }
    }

    /// Counts the property without judging it.
    pub(super) fn not_asked(mut self) -> Self {
        self.is_asked = false;
        self
    }

    pub(super) fn case(&mut self) {
        self.cases += 1;
    }

    /// Adds information that is not a violation.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds a violation and the records that show it.
    pub(super) fn violated(&mut self, history: &History, why: &str, shown_by: &[&Exchange]) {
        self.violations += 1;
        if self.examples.len() < QUOTED {
            let quotes: Vec<String> =
                shown_by.iter().map(|r| history.quote(r).to_string()).collect();
            self.examples.push(format!("{why}: {}", quotes.join(" | ")));
        }
    }

    fn is_good(&self, settings: &AuditSettings) -> bool {
        !self.is_asked || self.violations == 0 && !(settings.require_all && self.cases == 0)
    }

    fn write(&self, text: &mut String, settings: &AuditSettings) {
        let Self { name, of, cases, violations, .. } = self;
        let word = match (self.is_asked, self.is_good(settings), *cases) {
            (false, ..) => "not asked",
            (true, false, 0) => "NOTHING TO CHECK",
            (true, false, _) => "VIOLATED",
            (true, true, 0) => "nothing to check",
            (true, true, _) => "kept",
        };
        let mut line = format!("{name}: {word}, {cases} {of}");
        if self.is_asked {
            let _ = write!(line, ", {violations} violations");
        }
        for note in &self.notes {
            let _ = write!(line, "; {note}");
        }
        let _ = writeln!(text, "{line}");
        for example in self.examples.iter().filter(|_| self.is_asked) {
            let _ = writeln!(text, "    {example}");
        }
    }
}

/// The verdict on a record.
#[derive(Debug)]
pub struct Verdict {
    is_good: bool,
    text: String,
    broken: Vec<&'static str>,
}

impl Verdict {
    pub(super) fn new(
        history: &History,
        properties: Vec<Property>,
        settings: &AuditSettings,
    ) -> Self {
        let mut text = String::new();
        let is_readable = history.malformed == 0 && !history.records.is_empty();
        let (records, other) = (history.records.len(), history.other_lines);
        let malformed = history.malformed;
        let _ =
            writeln!(text, "{records} records, {malformed} malformed, {other} other lines ignored");
        for line in &history.malformed_lines {
            let _ = writeln!(text, "    {line}");
        }
        for property in &properties {
            property.write(&mut text, settings);
        }
        let broken: Vec<_> =
            properties.iter().filter(|p| !p.is_good(settings)).map(|p| p.name).collect();
        let is_good = is_readable && broken.is_empty();
        let word = if is_good { "good" } else { "NOT GOOD" };
        let _ = writeln!(text, "verdict: {word}");
        Self { is_good, text, broken }
    }

    /// Whether the record could be read and every property held.
    pub fn is_good(&self) -> bool {
        self.is_good
    }

    /// One line for each property, followed by examples of its violations.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The properties that did not hold.
    pub fn broken(&self) -> &[&'static str] {
        &self.broken
    }
}
