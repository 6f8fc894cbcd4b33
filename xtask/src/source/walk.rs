//! Walks through parsed Rust code and finds the paths that it names, such as `super::x::f`.
//!
//! A *path* in this file is a path of Rust, not the path of a file. The other modules of `source`
//! use these functions to build the module tree, and the checks use them to analyse the code.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Path};

/// A path that the code names, with its line.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// Returns the paths in an item: types, expressions, patterns, and the arguments of macros.
pub(crate) fn references(item: &Item) -> Vec<Reference> {
    let mut visitor = References::default();
    visitor.visit_item(item);
    visitor.found
}

/// Returns the paths in the definition of a trait.
pub(crate) fn references_in_trait(item: &syn::ItemTrait) -> Vec<Reference> {
    let mut visitor = References::default();
    visitor.visit_item_trait(item);
    visitor.found
}

/// Visitor that collects paths, except in code that is compiled for tests only.
#[derive(Default)]
struct References {
    found: Vec<Reference>,
}

impl Visit<'_> for References {
    fn visit_item(&mut self, item: &Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        if !is_test_only(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &Path) {
        if let Some(first) = path.segments.first() {
            let line = first.ident.span().start().line;
            self.found.push(Reference { path: segments_of(path), line });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.found.extend(references_in_macro(call));
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_vis_restricted(&mut self, _: &syn::VisRestricted) {}
}

/// Returns the names in a path, without generic arguments.
pub(crate) fn segments_of(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Returns the paths in tokens. A path is a sequence of names with two colons between them.
fn references_in_tokens(tokens: TokenStream) -> Vec<Reference> {
    let mut references: Vec<Reference> = Vec::new();
    // Number of colons after the last name. `None` if another token stands after the name.
    let mut colons = None;
    for token in tokens {
        match token {
            TokenTree::Ident(name) if colons == Some(2) => {
                if let Some(reference) = references.last_mut() {
                    reference.path.push(name.to_string());
                }
                colons = Some(0);
            }
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                references.push(Reference { path: vec![name.to_string()], line });
                colons = Some(0);
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons = colons.map(|count| count + 1);
            }
            TokenTree::Group(group) => {
                references.extend(references_in_tokens(group.stream()));
                colons = None;
            }
            _ => colons = None,
        }
    }
    references
}

/// Returns the paths in the arguments of a macro call.
pub(crate) fn references_in_macro(call: &syn::Macro) -> Vec<Reference> {
    references_in_tokens(call.tokens.clone())
}

/// Returns the arguments of a macro call as expressions. Returns `None` if the arguments are not a
/// comma-separated list of expressions.
pub(crate) fn expressions_of(call: &syn::Macro) -> Option<Vec<syn::Expr>> {
    let list = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
    Some(call.parse_body_with(list).ok()?.into_iter().collect())
}

/// Calls `on_use` with each `use` declaration in an item. The item may itself be a `use`
/// declaration, or may contain them inside functions.
pub(super) fn for_each_use(item: &Item, on_use: &mut dyn FnMut(&ItemUse)) {
    struct Declarations<'a>(&'a mut dyn FnMut(&ItemUse));
    impl Visit<'_> for Declarations<'_> {
        fn visit_item_use(&mut self, declaration: &ItemUse) {
            (self.0)(declaration);
        }
    }
    Declarations(on_use).visit_item(item);
}

/// Returns the name that an item defines, if it defines one.
pub(super) fn defined_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Returns whether an item is compiled for tests only.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || condition.starts_with("all(test,")
        }
        _ => false,
    })
}

/// Returns the attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
