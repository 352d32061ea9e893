//! How much of what happened.

use std::collections::BTreeMap;
use std::fmt;

use super::History;

/// How often each thing was asked, and how often each answer was told; one line as text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary(BTreeMap<&'static str, BTreeMap<&'static str, u64>>);

impl Summary {
    /// How often `told` was the answer to `asked`, both by their words in a written history: `("join", "number")`.
    #[must_use]
    pub fn count(&self, asked: &str, told: &str) -> u64 {
        self.0.get(asked).and_then(|answers| answers.get(told)).copied().unwrap_or(0)
    }
}

impl History {
    /// Counts every op so far by what was asked and told.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for record in self.lock().iter() {
            *summary
                .0
                .entry(record.asked.word())
                .or_default()
                .entry(record.told.word())
                .or_default() += 1;
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing was asked");
        }
        for (n, (asked, answers)) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{asked} {}:", answers.values().sum::<u64>())?;
            for (n, (told, count)) in answers.iter().enumerate() {
                let separator = if n == 0 { "" } else { "," };
                write!(f, "{separator} {count} {told}")?;
            }
        }
        Ok(())
    }
}
