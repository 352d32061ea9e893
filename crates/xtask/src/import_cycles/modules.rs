//! The modules of a crate, read from its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Item, ItemMod, Lit};

use test_support::{Doing as _, Outcome, failed};

use super::module::{Imported, Module, Names};
use super::reader::{Reader, is_for_tests};

/// All modules of a crate by their paths; the root's path is empty.
#[derive(Debug, Default)]
pub(super) struct Crate {
    pub(super) modules: BTreeMap<Names, Module>,
}

/// Where the files of child modules are.
struct Folders {
    /// Those that their names give.
    named: PathBuf,
    /// Those of `#[path]` attributes.
    attributed: PathBuf,
}

impl Crate {
    /// Reads the crate whose root is this file.
    pub(super) fn read(root: &Path) -> Outcome<Self> {
        let mut all = Self::default();
        all.read_file(root, folder_of(root), Names::new())?;
        all.export_macros();
        Ok(all)
    }

    /// Lets the root import the macros that other modules export.
    fn export_macros(&mut self) {
        let mut exports = Vec::new();
        for (path, module) in self.modules.iter().filter(|(path, _)| !path.is_empty()) {
            for name in &module.exported_macros {
                let path = [&["crate".to_owned()], &path[..], std::slice::from_ref(name)].concat();
                exports.push((name.clone(), Imported { path, is_public: true }));
            }
        }
        self.modules.entry(Names::new()).or_default().imports.extend(exports);
    }

    /// Reads the file of a module, whose children are in `named`.
    fn read_file(&mut self, file: &Path, named: PathBuf, path: Names) -> Outcome {
        let text = fs::read_to_string(file).doing(format!("reading {}", file.display()))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| failed(format!("{}: {error}", file.display())))?;
        self.read_items(&parsed.items, &Folders { named, attributed: folder_of(file) }, path)
    }

    fn read_items(&mut self, items: &[Item], folders: &Folders, path: Names) -> Outcome {
        let mut reader = Reader::default();
        for item in items {
            if let Item::Mod(module) = item {
                if !is_for_tests(&module.attrs) {
                    reader.define(&module.ident, &module.vis);
                    self.read_child(module, folders, &path)?;
                }
            } else {
                reader.read(item);
            }
        }
        self.modules.insert(path, reader.module);
        Ok(())
    }

    fn read_child(&mut self, module: &ItemMod, folders: &Folders, parent: &[String]) -> Outcome {
        let name = module.ident.to_string();
        let path = [parent, std::slice::from_ref(&name)].concat();
        let inner = folders.named.join(name);
        let attributed = path_attribute(&module.attrs).map(|path| folders.attributed.join(path));
        if let Some((_, items)) = &module.content {
            let inner = attributed.unwrap_or(inner);
            let folders = Folders { named: inner.clone(), attributed: inner };
            return self.read_items(items, &folders, path);
        }
        if let Some(file) = attributed {
            // The compiler takes such a file for a `mod.rs`.
            return self.read_file(&file, folder_of(&file), path);
        }
        let file = inner.with_extension("rs");
        let file = if file.exists() { file } else { inner.join("mod.rs") };
        self.read_file(&file, inner, path)
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(file).to_path_buf()
}

/// The file that `#[path = "…"]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let Expr::Lit(value) = &attribute.meta.require_name_value().ok()?.value else { return None };
    let Lit::Str(file) = &value.lit else { return None };
    Some(file.value())
}
