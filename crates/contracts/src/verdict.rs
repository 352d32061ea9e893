//! What a rule finds.

use std::fmt::{self, Debug, Display};
use std::iter::successors;

/// A rule was broken; says how.
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

/// Whatever error an implementation answers where it must not is a violation too, told with its causes.
impl<E: std::error::Error> From<E> for Violation {
    fn from(error: E) -> Self {
        let causes = successors(error.source(), |cause| cause.source());
        Self(
            causes.fold(format!("unexpected error: {error}"), |told, cause| {
                format!("{told}: {cause}")
            }),
        )
    }
}

/// Whether a rule held.
pub type Verdict = Result<(), Violation>;

/// Holds, or is a violation that says `what`.
///
/// # Errors
/// A [`Violation`] when `holds` is false.
pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation(what())) }
}

/// Both are equal, or it is a violation.
///
/// # Errors
/// A [`Violation`] that shows both sides.
pub fn ensure_eq<T: Debug + PartialEq>(seen: T, expected: T, what: &str) -> Verdict {
    ensure(seen == expected, || format!("{what}: got {seen:?}, expected {expected:?}"))
}

#[cfg(test)]
mod tests {
    use domain::{PortError, PortErrorKind};

    use super::*;

    #[test]
    fn an_unexpected_error_is_told_with_its_causes() {
        let error = PortError::new(PortErrorKind::Unavailable, "redis")
            .because(std::io::Error::other("reset"));
        assert_eq!(
            Violation::from(error).to_string(),
            "unexpected error: redis: unavailable: reset"
        );
    }
}
