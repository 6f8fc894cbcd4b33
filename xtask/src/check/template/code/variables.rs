//! Finds the environment variables that a function reads.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Expr, Lit};

use super::graph::Reached;
use super::index::Index;
use crate::source::{ModuleId, Workspace};

/// Functions that read a variable without which the program does not start.
const REQUIRING: [&str; 3] = ["required", "required_url", "secret"];

/// Environment variables of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    pub(crate) read: BTreeSet<String>,
    /// Variables without which the function does not start.
    pub(crate) required: BTreeSet<String>,
}

/// Returns the variables that are named in the reached functions: in those of the program itself,
/// and in those that are called with a reader of the environment.
pub(super) fn read_by(
    workspace: &Workspace,
    index: &Index<'_>,
    reached: &Reached,
    main: ModuleId,
) -> Variables {
    let mut variables = Variables::default();
    for id in &reached.functions {
        let function = &index.functions[*id];
        let is_wiring = workspace.modules[function.module].crate_root() == main
            || function.signature.inputs.iter().any(is_reader);
        if let Some(body) = function.body.filter(|_| is_wiring) {
            variables.visit_block(body);
        }
    }
    variables
}

/// Returns whether a parameter is the reader of the environment.
fn is_reader(parameter: &syn::FnArg) -> bool {
    let syn::FnArg::Typed(parameter) = parameter else { return false };
    let syn::Type::Reference(reference) = &*parameter.ty else { return false };
    let syn::Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Reader")
}

impl Variables {
    fn add(&mut self, called: &str, arguments: &syn::punctuated::Punctuated<Expr, syn::Token![,]>) {
        for name in arguments.iter().filter_map(variable) {
            if REQUIRING.contains(&called) {
                self.required.insert(name.clone());
            }
            self.read.insert(name);
        }
    }
}

impl Visit<'_> for Variables {
    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        self.add(&call.method.to_string(), &call.args);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &syn::ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some(name) = path.path.segments.last()
        {
            self.add(&name.ident.to_string(), &call.args);
        }
        visit::visit_expr_call(self, call);
    }
}

/// Returns the name in a literal such as `"SOME_NAME"`. The underscore distinguishes variables from
/// other uppercase words.
fn variable(argument: &Expr) -> Option<String> {
    let Expr::Lit(literal) = argument else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    let text = text.value();
    let is_name = text.contains('_')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then_some(text)
}
