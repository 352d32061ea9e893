//! Planted cycles of each kind, and what only resembles them.

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

/// Checks a crate in which `pool` uses `meter`, and these files let `meter` use `pool`: a cycle,
/// and none if `pool` does not use `meter`.
#[track_caller]
fn check_use(root: &str, pool: &str, meter: &str) {
    let both_ways = format!("{pool} pub struct Pool(crate::meter::Meter);");
    let meter = format!("{meter} pub struct Meter;");
    let files = |pool| found(&[("lib.rs", root), ("pool.rs", pool), ("meter.rs", &meter)]);
    let cycles = files(&both_ways);
    assert_eq!(cycles.len(), 1, "{cycles:?}");
    assert!(cycles[0].contains("meter -> pool"), "{}", cycles[0]);
    assert_eq!(files(pool), [""; 0], "one way");
    // It is this use that closes the cycle.
    let unused =
        found(&[("lib.rs", root), ("pool.rs", &both_ways), ("meter.rs", "pub struct Meter;")]);
    assert_eq!(unused, [""; 0], "the other way");
}

const ROOT: &str = "mod meter; mod pool;";
const POOL: &str = "pub fn f() -> bool { true } pub const X: u8 = 1;";

#[test]
fn a_planted_cycle_is_found_with_its_imports() {
    let cycles = found(&[
        ("lib.rs", "mod a; mod b; mod c;"),
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
        ("lib.rs", "mod a; mod b; mod c;"),
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
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inner;"),
        ("a/inner.rs", "use crate::b::B;"),
        ("b.rs", "pub struct B; use crate::a::inner;"),
    ]);
    assert_eq!(below.len(), 1, "{below:?}");
    let re_exported = found(&[
        ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;"),
        ("a.rs", "pub struct A; use crate::B;"),
        ("b.rs", "pub struct B; use crate::A;"),
    ]);
    assert_eq!(re_exported.len(), 1, "{re_exported:?}");
}

#[test]
fn paths_in_the_arguments_of_macros_are_seen() {
    for used in [
        "assert!(crate::pool::f());",
        "println!(\"{}\", crate::pool::X);",
        "tokio::select! { () = wait() => { if super::pool::f() { return; } } }",
        "println!(\"{}\", [0..super::pool::X].len());",
        "macro_rules! m { () => { $crate::pool::f() } }",
        "thread_local! { static S: u8 = { use crate::{other::O, pool::X}; X } }",
    ] {
        check_use(ROOT, POOL, &format!("fn g() {{ {used} }}"));
    }
    check_use(&format!("{ROOT} use pool as p;"), POOL, "use super::p; fn g() { dbg!(p::f()); }");
    check_use(ROOT, POOL, "use super::*; fn g() { assert!(pool::f()); }");
}

#[test]
fn exported_macros_are_seen() {
    let pool = "#[macro_export] macro_rules! m { () => {} }";
    check_use(ROOT, pool, "fn g() { crate::m!(); }");
    check_use(ROOT, pool, "macro_rules! n { () => { $crate::m!() } }");
}

#[test]
fn names_through_globs_are_seen() {
    let root = &format!("{ROOT} use pool::*;");
    check_use(root, POOL, "use super::*; fn g() { f(); }");
    check_use(root, POOL, "use super::*; fn g() { assert!(f()); }");
    check_use(root, POOL, "use crate::*; fn g(n: u8) { match n { X => {} _ => {} } }");
    check_use(ROOT, POOL, "use super::*; fn g(pool: u8) { pool::f(); }");
    check_use(ROOT, POOL, "use crate::pool::*;");
}

#[test]
fn a_glob_of_a_glob_is_followed() {
    let glob_of_glob = |deep| {
        found(&[
            ("lib.rs", "mod meter; mod pool; mod deep; pub use pool::*;"),
            ("pool.rs", "pub use super::deep::*;"),
            ("deep.rs", deep),
            ("meter.rs", "pub struct Meter; use crate::D;"),
        ])
    };
    let cycles = glob_of_glob("pub struct D(super::meter::Meter);");
    assert_eq!(cycles.len(), 1, "{cycles:?}");
    assert!(cycles[0].contains("in the crate: deep, meter"), "{}", cycles[0]);
    assert_eq!(glob_of_glob("pub struct D;"), [""; 0]);
}

#[test]
fn imports_of_the_parent_and_names_of_the_own_crate_are_followed() {
    check_use(&format!("{ROOT} use pool::f;"), POOL, "fn g() { super::f(); }");
    check_use(&format!("{ROOT} use pool::f as h;"), POOL, "use crate::h;");
    check_use(&format!("{ROOT} use signal::signal;"), POOL, "use super::{signal, pool::X};");
    for used in ["use me::pool::X;", "fn g() { me::pool::f(); }", "fn g() { ::me::pool::f(); }"] {
        check_use(&format!("extern crate self as me; {ROOT}"), POOL, used);
    }
    check_use(ROOT, POOL, "extern crate self as me; fn g() { assert!(me::pool::f()); }");
}

#[test]
fn paths_in_attributes_are_seen() {
    for attribute in [
        "#[serde(deserialize_with = \"crate::pool::f\")]",
        "#[serde(with = \"super::pool\")]",
        "#[derive(super::pool::X)]",
    ] {
        check_use(ROOT, POOL, &format!("{attribute} struct S;"));
    }
}

#[test]
fn names_that_only_look_alike_are_not_imports() {
    for used in [
        "fn g(n: N) { n.f(); assert!(n.f()); }",
        "fn g() { let f = 1; println!(\"{}\", f); }",
        "fn f() {} fn g() { f(); }",
        "fn g() { other::f(); ::pool::f(); assert!(other::pool::f()); }",
        "fn g() { event!(f = 1); new!(S { f: 1 }); }",
        "fn g<'f>(pool: &'f u8) -> &'f u8 { pool }",
        "/// Like `crate::pool::f`.\n fn g() { let _ = \"crate::pool::f()\"; }",
    ] {
        let cycles = found(&[
            ("lib.rs", "mod meter; mod pool; use pool::*;"),
            ("pool.rs", "pub fn f() {} pub struct Pool(crate::meter::Meter);"),
            ("meter.rs", &format!("use super::*; pub struct Meter; {used}")),
        ]);
        assert_eq!(cycles, [""; 0], "{used}");
    }
}

#[test]
fn private_names_do_not_pass_through_a_glob() {
    let with_visibility = |visibility| {
        found(&[
            ("lib.rs", "mod meter; mod pool; mod other; use pool::*; use other::*;"),
            ("meter.rs", "pub struct Meter; use super::*; fn g() { f(); }"),
            ("pool.rs", &format!("{visibility} fn f() {{}} use crate::meter::Meter;")),
            ("other.rs", "pub fn f() {}"),
        ])
    };
    assert_eq!(with_visibility(""), [""; 0]);
    let cycles = with_visibility("pub(crate)");
    assert_eq!(cycles.len(), 1, "{cycles:?}");
}

#[test]
fn modules_in_files_of_other_names_are_read() {
    let with_path = |other: &str| {
        found(&[
            (
                "lib.rs",
                "#[path = \"files/one.rs\"] mod a; mod b { #[path = \"two.rs\"] mod inner; }",
            ),
            ("files/one.rs", "mod below; pub struct A;"),
            ("files/below.rs", "use crate::b;"),
            ("b/two.rs", other),
        ])
    };
    let cycles = with_path("use crate::a::A;");
    assert_eq!(cycles.len(), 1, "{cycles:?}");
    assert_eq!(with_path(""), [""; 0]);
}
