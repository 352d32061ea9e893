//! `cargo xtask docs`

use test_support::Outcome;
use test_support::workspace::{cargo, run};

/// Writes every page that is generated from code. The pages' own test does the writing, so the
/// checked text and the written text cannot differ.
pub(crate) fn docs() -> Outcome {
    let mut pages =
        cargo(&["test", "--package", "boxoffice", "--test", "service", "--locked", "docs::"]);
    pages.env("BOXOFFICE_WRITE_DOCS", "1");
    run(pages)
}
