//! The names that one module defines, imports and uses.

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemExternCrate, ItemUse, Meta, UseTree, Visibility};

use super::module::{Imported, Module, Names};
use super::tokens;

/// Reads the items of a module; its child modules are read by the caller.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) module: Module,
}

impl Reader {
    /// Reads an item of the module itself.
    pub(super) fn read(&mut self, item: &Item) {
        if let Some((name, visibility)) = name_of(item) {
            self.define(&name, visibility);
            if matches!(item, Item::Macro(item) if has(&item.attrs, "macro_export")) {
                self.module.exported_macros.push(name.to_string());
            }
            visit::visit_item(self, item);
        } else {
            self.visit_item(item);
        }
    }

    pub(super) fn define(&mut self, name: &Ident, visibility: &Visibility) {
        *self.module.names.entry(name.to_string()).or_default() |= is_public(visibility);
    }

    fn read_tree(&mut self, tree: &UseTree, before: &[String], is_public: bool) {
        let with = |name: &Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.read_tree(&path.tree, &with(&path.ident), is_public),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.read_tree(tree, before, is_public));
            }
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    self.import(last, before.to_vec(), is_public);
                }
            }
            UseTree::Name(name) => {
                self.import(&name.ident.to_string(), with(&name.ident), is_public);
            }
            UseTree::Rename(name) if name.ident == "self" => {
                self.import(&name.rename.to_string(), before.to_vec(), is_public);
            }
            UseTree::Rename(name) => {
                self.import(&name.rename.to_string(), with(&name.ident), is_public);
            }
            UseTree::Glob(_) => {
                self.module.globs.push(Imported { path: before.to_vec(), is_public });
                self.module.imported.insert(before.to_vec());
            }
        }
    }

    fn import(&mut self, name: &str, path: Names, is_public: bool) {
        self.module.imported.insert(path.clone());
        self.module.imports.insert(name.to_owned(), Imported { path, is_public });
    }

    fn use_tokens(&mut self, tokens: &TokenStream) {
        self.module.uses.extend(tokens::paths(tokens.clone()));
    }
}

impl<'ast> Visit<'ast> for Reader {
    /// Reads an item in the body of a function.
    fn visit_item(&mut self, item: &'ast Item) {
        self.module.locals.extend(name_of(item).map(|(name, _)| name.to_string()));
        if !matches!(item, Item::Mod(module) if is_for_tests(&module.attrs)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            let before = item.leading_colon.as_ref().map(|_| "::".to_owned());
            self.read_tree(&item.tree, before.as_slice(), is_public(&item.vis));
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        if let Some((_, name)) = item.rename.as_ref().filter(|_| item.ident == "self") {
            self.import(&name.to_string(), vec!["crate".to_owned()], is_public(&item.vis));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let before = path.leading_colon.as_ref().map(|_| "::".to_owned());
        let names = path.segments.iter().map(|part| part.ident.to_string());
        self.module.uses.insert(before.into_iter().chain(names).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.use_tokens(&call.tokens);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.module.uses.extend(tokens::paths_and_strings(list.tokens.clone()));
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = pattern.ident.to_string();
        if name.starts_with(char::is_uppercase) {
            // A constant or a unit struct.
            self.module.uses.insert(vec![name]);
        } else {
            self.module.locals.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn is_public(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of items is open")]
fn name_of(item: &Item) -> Option<(Ident, &Visibility)> {
    let (name, visibility) = match item {
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::TraitAlias(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Union(item) => (&item.ident, &item.vis),
        Item::Macro(item) => (item.ident.as_ref()?, &Visibility::Inherited),
        _ => return None,
    };
    Some((name.clone(), visibility))
}
