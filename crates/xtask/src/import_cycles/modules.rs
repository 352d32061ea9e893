//! The modules of a crate and their imports, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use test_support::{Doing as _, Outcome, failed};

type Names = Vec<String>;

/// One module's use of another; both are paths from the root of the crate.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) from: Names,
    pub(super) to: Names,
    /// The used path, from the root.
    pub(super) path: String,
}

/// One module.
#[derive(Debug, Default)]
struct Module {
    /// The names that it defines.
    names: BTreeSet<String>,
    /// Its re-exports: the name and its origin.
    exports: BTreeMap<String, Names>,
    /// The modules that it re-exports with a glob.
    globs: Vec<Names>,
    /// The paths that it uses.
    uses: BTreeSet<Names>,
}

/// All modules of a crate by their paths; the root's path is empty.
#[derive(Debug, Default)]
pub(super) struct Crate {
    modules: BTreeMap<Names, Module>,
}

impl Crate {
    /// Reads the crate whose root is this file.
    pub(super) fn read(root: &Path) -> Outcome<Self> {
        let mut all = Self::default();
        let folder = root.parent().unwrap_or(root).to_path_buf();
        all.read_file(root, &folder, Vec::new())?;
        Ok(all)
    }

    /// Reads the file of a module, whose children are in `folder`.
    fn read_file(&mut self, file: &Path, folder: &Path, path: Names) -> Outcome {
        let doing = || format!("reading {}", file.display());
        let text = fs::read_to_string(file).doing(doing())?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| failed(format!("{}: {error}", file.display())))?;
        self.read_items(&parsed.items, folder, path)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of items is open")]
    fn read_items(&mut self, items: &[Item], folder: &Path, path: Names) -> Outcome {
        let mut reader = Reader { path: path.clone(), module: Module::default() };
        let (mut inline, mut files) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Mod(module) if is_for_tests(&module.attrs) => {}
                Item::Mod(module) => match &module.content {
                    Some((_, items)) => inline.push((module, items)),
                    None => files.push(module),
                },
                Item::Use(item) => reader.read_use(item),
                other => {
                    reader.module.names.extend(name_of(other));
                    reader.visit_item(other);
                }
            }
        }
        self.modules.insert(path.clone(), reader.module);
        for (module, items) in inline {
            self.read_items(items, &folder.join(module.ident.to_string()), child(&path, module))?;
        }
        for module in files {
            let inner = folder.join(module.ident.to_string());
            let file = inner.with_extension("rs");
            let file = if file.exists() { file } else { inner.join("mod.rs") };
            self.read_file(&file, &inner, child(&path, module))?;
        }
        Ok(())
    }

    /// Each use of one module by another.
    pub(super) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for (from, module) in &self.modules {
            for used in &module.uses {
                let to = self.module_of(used, 0);
                imports.push(Import { from: from.clone(), to, path: used.join("::") });
            }
        }
        imports
    }

    /// The module that defines the item at this path.
    fn module_of(&self, path: &[String], depth: u8) -> Names {
        let mut at = Names::new();
        for (nth, name) in path.iter().enumerate() {
            let inner = [&at[..], std::slice::from_ref(name)].concat();
            if self.modules.contains_key(&inner) {
                at = inner;
                continue;
            }
            let rest = &path[nth + 1..];
            let Some(module) = self.modules.get(&at) else { break };
            if depth < 10
                && let Some(origin) = self.origin(module, name)
            {
                return self.module_of(&[&origin[..], rest].concat(), depth + 1);
            }
            break;
        }
        at
    }

    /// The origin of a name that a module re-exports; `None` if it defines the name itself.
    fn origin(&self, module: &Module, name: &str) -> Option<Names> {
        if module.names.contains(name) {
            return None;
        }
        let named = module.exports.get(name).cloned();
        named.or_else(|| {
            let from = module.globs.iter().find(|glob| {
                let at = self.module_of(glob, 1);
                self.modules.get(&at).is_some_and(|module| {
                    module.names.contains(name) || module.exports.contains_key(name)
                })
            })?;
            Some([&from[..], &[name.to_owned()]].concat())
        })
    }
}

fn child(path: &[String], module: &ItemMod) -> Names {
    [path, &[module.ident.to_string()]].concat()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of items is open")]
fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::TraitAlias(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        _ => return None,
    })
}

/// Collects the paths that one module uses.
struct Reader {
    path: Names,
    module: Module,
}

impl Reader {
    fn read_use(&mut self, item: &ItemUse) {
        if is_for_tests(&item.attrs) || item.leading_colon.is_some() {
            return;
        }
        let is_exported = !matches!(item.vis, Visibility::Inherited);
        self.read_tree(&item.tree, &Names::new(), is_exported);
    }

    fn read_tree(&mut self, tree: &UseTree, before: &Names, is_exported: bool) {
        let with = |name: &syn::Ident| [&before[..], &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.read_tree(&path.tree, &with(&path.ident), is_exported),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.read_tree(tree, before, is_exported));
            }
            UseTree::Name(name) => self.read_name(&with(&name.ident), &name.ident, is_exported),
            UseTree::Rename(name) => self.read_name(&with(&name.ident), &name.rename, is_exported),
            UseTree::Glob(_) => {
                if let Some(path) = self.absolute(before, is_exported) {
                    if is_exported {
                        self.module.globs.push(path.clone());
                    }
                    self.module.uses.insert(path);
                }
            }
        }
    }

    fn read_name(&mut self, path: &Names, name: &syn::Ident, is_exported: bool) {
        // `use x::{self}` refers to x itself.
        let path = if name == "self" { &path[..path.len() - 1] } else { path };
        let Some(path) = self.absolute(path, is_exported) else { return };
        if is_exported {
            self.module.exports.insert(name.to_string(), path.clone());
        }
        self.module.uses.insert(path);
    }

    /// The path from the root of the crate; `None` for an item of another crate. In a re-export the
    /// first name may be that of a child.
    fn absolute(&self, path: &[String], may_be_child: bool) -> Option<Names> {
        let mut at = match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "self" => return Some([&self.path[..], &path[1..]].concat()),
            "super" => self.path.clone(),
            _ if may_be_child => return Some([&self.path[..], path].concat()),
            _ => return None,
        };
        let ups = path.iter().take_while(|name| *name == "super").count();
        at.truncate(at.len().checked_sub(ups)?);
        Some([&at[..], &path[ups..]].concat())
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if let Some(path) = self.absolute(&names, false) {
            self.module.uses.insert(path);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.read_use(item);
    }
}
