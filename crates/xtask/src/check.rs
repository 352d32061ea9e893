//! `cargo xtask check`

use crate::crate_layers;
use crate::deny;
use crate::import_cycles;
use crate::mutants;
use crate::prose;
use test_support::Outcome;
use test_support::workspace::{cargo, run};

/// The adapter written outside the workspace.
const EXAMPLE: &str = "examples/sqlite-catalog/Cargo.toml";

/// Runs every check that needs no servers; warnings are errors. The mutants of changed lines come
/// last, because they take the longest.
pub(crate) fn check() -> Outcome {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["fmt", "--manifest-path", EXAMPLE, "--check"]))?;
    run(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ]))?;
    run(cargo(&[
        "clippy",
        "--manifest-path",
        EXAMPLE,
        "--target-dir",
        "target",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ]))?;
    crate_layers::layers(false)?;
    import_cycles::check()?;
    prose::prose(&prose::Arguments::default())?;
    deny::deny(&deny::Arguments::default())?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    run(documentation)?;
    mutants::check_changes()
}
