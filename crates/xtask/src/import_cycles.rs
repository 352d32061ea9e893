//! `cargo xtask import-cycles`: finds modules of a crate that import each other in a cycle.
//!
//! A module and its parent may use each other. Among the children of one parent, each including all
//! modules below it, imports go one way, so that each can be read, tested and moved with its own
//! imports alone. Imports, re-exports and globs are followed to the module that defines the item.
//! Paths are also read in the arguments of macros, and in attributes such as serde's `with`. Test
//! modules are ignored.
//!
//! `cargo modules dependencies --acyclic` (0.27.0) does not replace this check: its graph has no path
//! in the body of a function, and it calls a type and its constructor a cycle. Version 0.28.0 needs a
//! newer compiler than this workspace.
//!
//! Unseen are: what a macro expands to, macros without a path, methods, `include!`, and an item that
//! only a glob imports if a variable in the same file has its name.

mod graph;
mod module;
mod modules;
mod reader;
mod resolve;
mod tokens;

use std::path::Path;

use cargo_metadata::MetadataCommand;

use self::graph::Graph;
use self::modules::Crate;
use test_support::workspace::root;
use test_support::{Outcome, failed};

/// Reports each cycle with its imports.
pub(crate) fn check() -> Outcome {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .map_err(|error| failed(format!("cargo metadata: {error}")))?;
    let mut findings = Vec::new();
    let mut count = 0;
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            if target.is_lib() || target.is_bin() {
                findings.extend(cycles_of(&target.name, target.src_path.as_std_path())?);
                count += 1;
            }
        }
    }
    if findings.is_empty() {
        println!("import cycles: none in {count} crates");
        return Ok(());
    }
    Err(failed(format!("modules that import each other:\n{}", findings.join("\n"))))
}

fn cycles_of(name: &str, file: &Path) -> Outcome<Vec<String>> {
    let modules = Crate::read(file)?;
    let mut graph = Graph::default();
    for import in modules.imports() {
        graph.add(&import);
    }
    Ok(graph.cycles().into_iter().map(|cycle| format!("{name}: {cycle}")).collect())
}

#[cfg(test)]
mod tests;
