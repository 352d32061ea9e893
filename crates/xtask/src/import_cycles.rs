//! `cargo xtask import-cycles`: finds modules of a crate that import each other in a cycle.
//!
//! A module and its parent may use each other. Among the children of one parent, each including all
//! modules below it, imports go one way, so that each can be read, tested and moved with its own
//! imports alone. Re-exports are followed to the module that defines the item. Test modules and the
//! expansion of macros are ignored.

mod graph;
mod modules;

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
mod tests {
    use super::*;

    /// The cycles of a crate with these files.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        cycles_of("planted", &folder.path().join("lib.rs")).unwrap()
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b; mod c;");

    #[test]
    fn a_planted_cycle_is_found_with_its_imports() {
        let cycles = found(&[
            ROOT,
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B; use crate::c::C;"),
            ("c.rs", "pub struct C; fn f() { super::a::g() }"),
        ]);
        assert_eq!(cycles.len(), 1);
        for import in ["a -> b", "b -> c", "c -> a"] {
            assert!(cycles[0].contains(import), "{}", cycles[0]);
        }
    }

    #[test]
    fn one_way_imports_parent_imports_and_test_imports_are_not_cycles() {
        let cycles = found(&[
            ROOT,
            ("a.rs", "mod inner; pub struct A; use self::inner::I; use crate::b::B;"),
            ("a/inner.rs", "pub struct I; use super::A;"),
            ("b.rs", "pub struct B; use crate::c::C; #[cfg(test)] mod tests { use crate::a::A; }"),
            ("c.rs", "pub struct C;"),
        ]);
        assert_eq!(cycles, [""; 0]);
    }

    #[test]
    fn cycles_through_submodules_and_re_exports_are_found() {
        let below = found(&[
            ROOT,
            ("a.rs", "mod inner;"),
            ("a/inner.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B; use crate::a::inner;"),
            ("c.rs", ""),
        ]);
        assert_eq!(below.len(), 1, "{below:?}");
        let re_exported = found(&[
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;"),
            ("a.rs", "pub struct A; use crate::B;"),
            ("b.rs", "pub struct B; use crate::A;"),
        ]);
        assert_eq!(re_exported.len(), 1, "{re_exported:?}");
    }
}
