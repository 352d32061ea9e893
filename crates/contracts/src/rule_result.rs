//! The result of checking a rule.

use std::fmt::{self, Debug, Display};
use std::iter::successors;

use similar::{ChangeTag, TextDiff};

/// A description of how a rule was broken.
#[derive(Debug)]
pub struct Violation(String);

impl Violation {
    /// A violation described in a sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Converts an unexpected error of an implementation, with its causes.
impl<E: std::error::Error> From<E> for Violation {
    fn from(error: E) -> Self {
        let causes = successors(error.source(), |cause| cause.source());
        Self(causes.fold(format!("unexpected error: {error}"), |message, cause| {
            format!("{message}: {cause}")
        }))
    }
}

/// Whether a rule held.
pub type RuleResult = Result<(), Violation>;

/// Checks a condition and describes the violation with `what` if it does not hold.
///
/// # Errors
/// A [`Violation`] when `holds` is false.
pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> RuleResult {
    if holds { Ok(()) } else { Err(Violation(what())) }
}

/// Checks that both values are equal.
///
/// # Errors
/// A [`Violation`] that shows both sides, or their difference if they take many lines.
pub fn ensure_eq<T: Debug + PartialEq>(seen: T, expected: T, what: &str) -> RuleResult {
    ensure(seen == expected, || format!("{what}: {}", difference(&seen, &expected)))
}

/// Longer values are shown as a difference.
const SHOWN_WHOLE: usize = 120;

/// Unchanged lines shown before and after each difference.
const CONTEXT: usize = 2;

fn difference<T: Debug>(seen: &T, expected: &T) -> String {
    let (whole_seen, whole_expected) = (format!("{seen:?}"), format!("{expected:?}"));
    if whole_seen.len().max(whole_expected.len()) <= SHOWN_WHOLE {
        return format!("got {whole_seen}, expected {whole_expected}");
    }
    let (seen, expected) = (format!("{seen:#?}"), format!("{expected:#?}"));
    let diff = TextDiff::from_lines(&expected, &seen);
    let mut shown = "expected lines (-) and lines got (+)".to_owned();
    for (n, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if n > 0 {
            shown.push_str("\n  ...");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            shown.push_str(&format!("\n{sign} {}", change.value().trim_end()));
        }
    }
    shown
}

/// Runs a rule on a runtime with two worker threads, for a test that is not asynchronous.
///
/// # Errors
/// A [`Violation`] if the rule does not hold, or the runtime cannot start.
pub fn run_rule(rule: impl Future<Output = RuleResult>) -> RuleResult {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(rule)
}

#[cfg(test)]
mod tests {
    use domain::{Dependency, PortError, PortErrorKind};

    use super::*;

    #[test]
    fn short_values_are_shown_whole_and_long_ones_as_their_difference() {
        let message = |seen: Vec<u64>, expected| ensure_eq(seen, expected, "it").unwrap_err().0;
        assert_eq!(message(vec![1], vec![2]), "it: got [1], expected [2]");
        let expected: Vec<u64> = (1_000..1_100).collect();
        let mut seen = expected.clone();
        seen[50] = 7;
        assert_eq!(
            message(seen, expected),
            "it: expected lines (-) and lines got (+)\n      1048,\n      1049,\n-     1050,\n\
             +     7,\n      1051,\n      1052,"
        );
    }

    #[test]
    fn an_unexpected_error_shows_its_causes() {
        let error = PortError::new(PortErrorKind::Unavailable, Dependency::REDIS)
            .because(std::io::Error::other("reset"));
        assert_eq!(
            Violation::from(error).to_string(),
            "unexpected error: redis: unavailable: reset"
        );
    }
}
