//! Finds the environment variables that the code of a Lambda function reads.
//!
//! To read a variable, the code calls a method with the name of the variable as a literal:
//! `reader.required("TABLE_NAME")`.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Expr, Lit};

use super::graph::Reached;
use super::index::{Index, ItemKey};
use crate::source::{ModuleId, Workspace};

/// Names of the methods that read a required variable. A program does not start without its
/// required variables.
const REQUIRED_READERS: [&str; 4] = ["required", "required_url", "secret", "queue_url"];

/// Environment variables of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    /// All variables that the function reads.
    pub(crate) read: BTreeSet<String>,
    /// Variables without which the function does not start.
    pub(crate) required: BTreeSet<String>,
}

/// Returns the variables that a program reads.
///
/// Two groups of the reached functions can read variables: functions of the program's own crate,
/// and methods of a type that has a field of the type `Reader`.
pub(super) fn read_by(
    workspace: &Workspace,
    index: &Index<'_>,
    reached: &Reached,
    main: ModuleId,
) -> Variables {
    let mut variables = Variables::default();
    for id in &reached.functions {
        let function = &index.functions[*id];
        let may_read_variables = workspace.modules[function.module].crate_root() == main
            || function.owner.as_ref().is_some_and(|owner| has_reader(index, owner));
        if let Some(body) = function.body.filter(|_| may_read_variables) {
            variables.visit_block(body);
        }
    }
    variables
}

/// Returns whether a type has a field of the type `Reader`, which reads the environment.
fn has_reader(index: &Index<'_>, owner: &ItemKey) -> bool {
    let is_reader = |field: &&syn::Type| {
        let syn::Type::Path(path) = field else { return false };
        path.path.segments.last().is_some_and(|segment| segment.ident == "Reader")
    };
    index.types.get(owner).is_some_and(|definition| definition.fields.values().any(is_reader))
}

impl Variables {
    /// Adds the variables that a call of the function `called` reads.
    fn add(&mut self, called: &str, arguments: &syn::punctuated::Punctuated<Expr, syn::Token![,]>) {
        for name in arguments.iter().filter_map(variable_name) {
            if REQUIRED_READERS.contains(&called) {
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

/// Returns the variable's name if the argument is a literal such as `"SOME_NAME"`. The name must
/// contain an underscore. A single uppercase word is ignored, because it may have another meaning.
fn variable_name(argument: &Expr) -> Option<String> {
    let Expr::Lit(literal) = argument else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    let text = text.value();
    let is_name = text.contains('_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then_some(text)
}
