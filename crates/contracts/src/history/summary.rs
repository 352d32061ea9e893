//! Counts of invocations and responses.

use std::collections::BTreeMap;
use std::fmt;

use super::History;

/// The number of ops of each kind, and of each response to it; formats as one line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary(BTreeMap<&'static str, BTreeMap<&'static str, u64>>);

impl Summary {
    /// The number of ops with this invocation and response, by their words in a written history:
    /// `("join", "number")`.
    #[must_use]
    pub fn count(&self, requested: &str, reported: &str) -> u64 {
        self.0.get(requested).and_then(|answers| answers.get(reported)).copied().unwrap_or(0)
    }
}

impl History {
    /// Counts all ops so far by invocation and response.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for record in self.lock().iter() {
            *summary
                .0
                .entry(record.requested.word())
                .or_default()
                .entry(record.reported.word())
                .or_default() += 1;
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no ops");
        }
        for (n, (requested, answers)) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{requested} {}:", answers.values().sum::<u64>())?;
            for (n, (reported, count)) in answers.iter().enumerate() {
                let separator = if n == 0 { "" } else { "," };
                write!(f, "{separator} {count} {reported}")?;
            }
        }
        Ok(())
    }
}
