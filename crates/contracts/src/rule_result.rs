//! The result of checking a rule.

use std::fmt::{self, Debug, Display};
use std::iter::successors;

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
/// A [`Violation`] that shows both sides.
pub fn ensure_eq<T: Debug + PartialEq>(seen: T, expected: T, what: &str) -> RuleResult {
    ensure(seen == expected, || format!("{what}: got {seen:?}, expected {expected:?}"))
}

#[cfg(test)]
mod tests {
    use domain::{PortError, PortErrorKind};

    use super::*;

    #[test]
    fn an_unexpected_error_shows_its_causes() {
        let error = PortError::new(PortErrorKind::Unavailable, "redis")
            .because(std::io::Error::other("reset"));
        assert_eq!(
            Violation::from(error).to_string(),
            "unexpected error: redis: unavailable: reset"
        );
    }
}
