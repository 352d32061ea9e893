//! One module, as its source is written.

use std::collections::{BTreeMap, BTreeSet};

/// A path of names. `::` is the first name of a path that begins with it.
pub(super) type Names = Vec<String>;

/// What a `use` names.
#[derive(Debug)]
pub(super) struct Imported {
    /// The path as written.
    pub(super) path: Names,
    pub(super) is_public: bool,
}

/// One module.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The names that it defines, child modules too, and whether they are public.
    pub(super) names: BTreeMap<String, bool>,
    /// The names that it imports.
    pub(super) imports: BTreeMap<String, Imported>,
    /// Its macros with `#[macro_export]`, which have a path from the root.
    pub(super) exported_macros: Vec<String>,
    /// The modules and enums that it imports with a glob.
    pub(super) globs: Vec<Imported>,
    /// The paths in its `use` items, as written.
    pub(super) imported: BTreeSet<Names>,
    /// The paths in the rest of its code, as written.
    pub(super) uses: BTreeSet<Names>,
    /// The names that its functions bind.
    pub(super) locals: BTreeSet<String>,
}
