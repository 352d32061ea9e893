//! `cargo xtask check`

use crate::deny;
use crate::layers;
use crate::mutants;
use crate::run::{cargo, run};
use test_support::Outcome;

/// Everything that can be said about the code without servers; warnings are errors. The mutants of
/// changed lines come last, because they take the longest.
pub(crate) fn check() -> Outcome {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ]))?;
    layers::layers(false)?;
    deny::deny(&deny::Arguments::default())?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    run(documentation)?;
    mutants::check_changes()
}
