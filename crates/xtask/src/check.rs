//! `cargo xtask check`

use crate::layers;
use crate::mutants;
use crate::run::{cargo, run};
use test_support::Outcome;

/// Everything that can be said about the code without servers and without its whole test suite; warnings are errors.
/// Last, because it takes longest where lines of the domain's queue have changed: whether tests notice mutants of these lines.
pub(crate) fn check() -> Outcome {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))?;
    layers::layers(false)?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    run(documentation)?;
    mutants::check_changes()
}
