//! The migrations are built into this crate; a new one must make it be built again.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
