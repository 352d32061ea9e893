//! Finds the module that defines what a path names, as the compiler does.

use std::collections::BTreeSet;

use super::module::{Module, Names};
use super::modules::Crate;

/// One module's use of another; both are paths from the root of the crate.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) from: Names,
    pub(super) to: Names,
    /// The used path, as written.
    pub(super) path: String,
}

/// What a path names.
enum Target {
    Module(Names),
    /// An item of this module.
    Item(Names),
}

impl Crate {
    /// Each use of one module by another.
    pub(super) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for (from, module) in &self.modules {
            let mut add = |path: &Names, to: Names| {
                let path = path.join("::");
                imports.push(Import { from: from.clone(), to, path });
            };
            for path in &module.imported {
                match self.resolve(from, path) {
                    Some(Target::Module(to) | Target::Item(to)) => add(path, to),
                    None => {}
                }
            }
            for path in module.uses.iter().filter(|path| is_foreign(module, path)) {
                match self.resolve(from, path) {
                    // A name alone is a variable's rather than a module's.
                    Some(Target::Module(_)) if path.len() == 1 => {}
                    Some(Target::Module(to) | Target::Item(to)) => add(path, to),
                    None => {}
                }
            }
        }
        imports
    }

    fn resolve(&self, from: &Names, path: &[String]) -> Option<Target> {
        Search { modules: self, followed: BTreeSet::new() }.resolve(from, path)
    }
}

/// Whether a path may lead out of the module without an import that is reported itself.
fn is_foreign(module: &Module, path: &[String]) -> bool {
    let [name] = path else { return true };
    !module.imports.contains_key(name) && !module.locals.contains(name)
}

/// The search for one path.
struct Search<'a> {
    modules: &'a Crate,
    /// The imported names that are being followed: their modules, and the names. `use signal::signal`
    /// does not import from itself, and imports in a circle end.
    followed: BTreeSet<(Names, String)>,
}

impl Search<'_> {
    /// Finds what a path names that is written in this module.
    fn resolve(&mut self, from: &Names, path: &[String]) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(&Names::new(), rest),
            "self" => self.descend(from, rest),
            "super" => {
                let (_, parent) = from.split_last()?;
                if rest.first().is_some_and(|next| next == "super") {
                    self.resolve(&parent.to_vec(), rest)
                } else {
                    self.descend(&parent.to_vec(), rest)
                }
            }
            "::" => self.own_name(rest),
            _ => self.descend(from, path).or_else(|| self.own_name(path)),
        }
    }

    /// Finds a path that begins with a name that the root gives to this crate by `extern crate self`.
    fn own_name(&mut self, path: &[String]) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let own = self.modules.modules.get(&Names::new())?.imports.get(first)?;
        if own.path == ["crate"] { self.descend(&Names::new(), rest) } else { None }
    }

    /// Finds what a path names that begins in this module.
    fn descend(&mut self, at: &Names, path: &[String]) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else {
            return Some(Target::Module(at.clone()));
        };
        let child = [&at[..], std::slice::from_ref(name)].concat();
        if self.modules.modules.contains_key(&child) {
            // An item that is not found is one that a macro defines.
            return self.descend(&child, rest).or(Some(Target::Item(child)));
        }
        let module = self.modules.modules.get(at)?;
        if module.names.contains_key(name) {
            return Some(Target::Item(at.clone()));
        }
        let step = (at.clone(), name.clone());
        if !self.followed.insert(step.clone()) {
            return None;
        }
        let found = self.follow(at, module, path);
        self.followed.remove(&step);
        found
    }

    /// Finds what a path names that begins with an import of this module.
    fn follow(&mut self, at: &Names, module: &Module, path: &[String]) -> Option<Target> {
        let (name, rest) = path.split_first()?;
        if let Some(import) = module.imports.get(name) {
            return self.resolve(at, &[&import.path[..], rest].concat());
        }
        module.globs.iter().find_map(|glob| match self.resolve(at, &glob.path)? {
            Target::Module(to) if to != *at && self.is_visible(&to, name, at) => {
                self.descend(&to, path)
            }
            Target::Module(_) | Target::Item(_) => None,
        })
    }

    /// Whether a glob of a module gives this name to another module. Private names are visible below
    /// their module only.
    fn is_visible(&self, module: &Names, name: &str, to: &Names) -> bool {
        let Some(inner) = self.modules.modules.get(module) else { return false };
        let own = inner.names.get(name).copied();
        let imported = inner.imports.get(name).map(|import| import.is_public);
        match (own, imported) {
            _ if to.starts_with(module) => true,
            (None, None) => inner.globs.iter().any(|glob| glob.is_public),
            (own, imported) => own == Some(true) || imported == Some(true),
        }
    }
}
