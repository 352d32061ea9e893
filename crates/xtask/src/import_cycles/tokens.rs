//! Paths in tokens that are not parsed: the arguments of macros and attributes.

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Spacing, TokenStream, TokenTree};

use super::module::Names;

/// The paths in these tokens, of one name or more.
pub(super) fn paths(tokens: TokenStream) -> Vec<Names> {
    let mut found = Vec::new();
    collect(tokens, &[], false, &mut found);
    found
}

/// The paths of two names or more, also those in strings such as serde's `with = "super::hex"`.
pub(super) fn paths_and_strings(tokens: TokenStream) -> Vec<Names> {
    let mut found = Vec::new();
    collect(tokens, &[], true, &mut found);
    found.retain(|path| path.len() > 1);
    found
}

/// Adds each path in these tokens, which a brace after `before::` may enclose.
fn collect(tokens: TokenStream, before: &[String], strings: bool, found: &mut Vec<Names>) {
    let mut tokens = tokens.into_iter().peekable();
    // The punctuation just before a token.
    let mut marks = String::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) => marks.push(mark.as_char()),
            TokenTree::Group(group) => {
                marks.clear();
                collect(group.stream(), before, strings, found);
            }
            TokenTree::Ident(name) => {
                let name = name.to_string();
                let is_name = starts_path(&marks, &name);
                let is_external = marks.ends_with("::");
                marks.clear();
                let mut path = before.to_vec();
                if is_external {
                    path.push("::".to_owned());
                }
                path.push(name);
                read_rest(&mut tokens, &mut path, strings, found);
                let is_label = path.len() == 1 && is_label(&mut tokens);
                if is_name && !is_label {
                    found.push(path);
                }
            }
            TokenTree::Literal(literal) => {
                marks.clear();
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                if strings && let Ok(inner) = text.map(|text| text.value()) {
                    // A string that is no code has no paths.
                    if let Ok(inner) = inner.parse::<TokenStream>() {
                        collect(inner, &[], false, found);
                    }
                }
            }
        }
    }
}

/// Whether a name after these marks is no field, no lifetime and no variable of a macro.
fn starts_path(marks: &str, name: &str) -> bool {
    let is_member = marks.ends_with('.') && !marks.ends_with("..");
    let is_variable = marks.ends_with('$') && name != "crate";
    !is_member && !is_variable && !marks.ends_with('\'')
}

/// Adds the names that follow with `::`; what a brace encloses are paths of their own.
fn read_rest(
    tokens: &mut Peekable<IntoIter>,
    path: &mut Names,
    strings: bool,
    found: &mut Vec<Names>,
) {
    while is_colon(tokens, Spacing::Joint) {
        tokens.next();
        tokens.next();
        match tokens.peek() {
            Some(TokenTree::Ident(name)) => {
                path.push(name.to_string());
                tokens.next();
            }
            Some(TokenTree::Group(group)) => {
                collect(group.stream(), path, strings, found);
                tokens.next();
                return;
            }
            Some(TokenTree::Punct(_) | TokenTree::Literal(_)) | None => return,
        }
    }
}

/// Whether a name is that of a field or an argument: `name: value`, `name = value`.
fn is_label(tokens: &mut Peekable<IntoIter>) -> bool {
    let is_equals = matches!(
        tokens.peek(),
        Some(TokenTree::Punct(mark)) if mark.as_char() == '=' && mark.spacing() == Spacing::Alone
    );
    is_equals || is_colon(tokens, Spacing::Alone)
}

fn is_colon(tokens: &mut Peekable<IntoIter>, spacing: Spacing) -> bool {
    matches!(
        tokens.peek(),
        Some(TokenTree::Punct(mark)) if mark.as_char() == ':' && mark.spacing() == spacing
    )
}
