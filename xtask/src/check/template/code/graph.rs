//! Determines which functions and AWS operations a program can call, from its source code.
//!
//! The analysis starts at `main` and visits the body of each called function. It does not infer
//! types, so the result is an approximation. In doubt, the result contains too many calls:
//!
//! - A method call on a value of an unknown type counts as a call of every visible method with that
//!   name.
//! - If such a call has no arguments and the name of an AWS operation, it also counts as a call of
//!   that operation. The crate must name the SDK of the service.
//! - A call of a trait's method counts as a call of each implementation by a type that the program
//!   names.
//! - If the program names a type, all its implementations of foreign traits (traits outside the
//!   workspace) count as called.
//!
//! These calls are missing from the result:
//!
//! - a call of an operation on a value of an unknown type, in a crate that does not name the SDK of
//!   the service;
//! - a call in code that a macro of the workspace generates;
//! - a call of a method of the workspace on a value from a map, or from another foreign container
//!   whose first type argument is also foreign.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall};

use super::index::{Function, FunctionId, Implementation, ItemKey};
use super::types::{Types, ValueType};
use crate::source::{ModuleId, Target, expressions_of, references_in_macro, segments_of};

/// An operation of an AWS service that a program can call.
///
/// If the program builds a part of a request, the type of the part counts as an operation too, such
/// as `Put` of `dynamodb`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SdkOperation {
    /// Name of the service in the SDK, such as `kms`.
    pub(super) service: String,
    /// Name of the operation in the SDK, such as `encrypt`.
    pub(super) name: String,
}

/// Functions and AWS operations that a program can reach, which means that its `main` calls them,
/// directly or through other functions.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) functions: BTreeSet<FunctionId>,
    pub(super) operations: BTreeSet<SdkOperation>,
    /// Types that the program names.
    types: BTreeSet<ItemKey>,
    /// Methods of traits that the program calls, by the trait and the name.
    trait_methods: BTreeSet<(ItemKey, String)>,
    /// Candidates: methods that a call on a value of an unknown type may reach, each with its type.
    /// A candidate counts as called if the program names the type.
    candidates: BTreeSet<(ItemKey, FunctionId)>,
}

/// Returns the functions and operations that the `main` of a program reaches. Ignores the methods
/// of the `excluded` types, except their constructors.
pub(super) fn reach(types: &Types<'_>, main_module: ModuleId, excluded: &[&str]) -> Reached {
    let index = types.index;
    let mut reached = Reached::default();
    let main_key = ItemKey { module: main_module, name: "main".to_owned() };
    let main = index.free_functions.get(&main_key);
    let mut to_visit: Vec<_> = main.copied().into_iter().collect();
    while let Some(id) = to_visit.pop() {
        let function = &index.functions[id];
        let is_excluded =
            |owner: &ItemKey| excluded.contains(&owner.name.as_str()) && !function.is_constructor();
        if function.owner.as_ref().is_some_and(is_excluded) || !reached.functions.insert(id) {
            continue;
        }
        let mut visitor = CallVisitor { types, function, reached: &mut reached, called: vec![] };
        visitor.visit_signature(function.signature);
        if let Some(body) = function.body {
            visitor.visit_block(body);
        }
        to_visit.append(&mut visitor.called);
        // A candidate counts as called once the program names its type.
        let Reached { candidates, types: named_types, functions, .. } = &reached;
        let methods = candidates.iter().filter(|(owner, _)| named_types.contains(owner));
        to_visit.extend(methods.map(|(_, id)| *id).filter(|id| !functions.contains(id)));
        // Code outside the workspace may call implementations of its own traits, such as `Drop`.
        for named_type in named_types {
            let methods = index.foreign_implementations.get(named_type).into_iter().flatten();
            to_visit.extend(methods.filter(|id| !functions.contains(id)));
        }
        // If the program calls a method of a trait, it may call each implementation by a named
        // type.
        for method in &reached.trait_methods {
            let implementations = index.implementations.get(method).into_iter().flatten();
            to_visit.extend(implementations.filter_map(|Implementation { owner, method }| {
                let is_used = owner.as_ref().is_none_or(|owner| reached.types.contains(owner));
                (is_used && !reached.functions.contains(method)).then_some(*method)
            }));
        }
    }
    reached
}

impl Function<'_> {
    /// Returns whether the function may be a constructor, because it has no `self`.
    fn is_constructor(&self) -> bool {
        self.signature.receiver().is_none()
    }

    /// Returns the number of arguments after `self`.
    fn argument_count(&self) -> usize {
        self.signature.inputs.len() - usize::from(self.signature.receiver().is_some())
    }
}

/// Visitor of the calls in one function.
struct CallVisitor<'a> {
    types: &'a Types<'a>,
    function: &'a Function<'a>,
    reached: &'a mut Reached,
    /// Functions that the visited function calls.
    called: Vec<FunctionId>,
}

impl CallVisitor<'_> {
    /// Adds the function, method or type that a path names.
    fn add_path(&mut self, path: &[String]) {
        let module = self.function.module;
        if let [first, method] = path {
            if first == "Self"
                && let Some(owner) = &self.function.owner
            {
                self.add_method(owner, method);
                return;
            }
            for key in self.types.traits_of_type_parameter(self.function, first) {
                self.add_method(&key, method);
            }
        }
        match self.types.workspace.resolve(module, path) {
            Some(Target::Item { module, path }) => {
                let key = ItemKey { module, name: path[0].clone() };
                self.called.extend(self.types.index.free_functions.get(&key));
                if self.types.index.types.contains_key(&key) {
                    self.reached.types.insert(key.clone());
                }
                if let [_, method] = path.as_slice() {
                    self.add_method(&key, method);
                }
            }
            Some(Target::Module(_)) => {}
            None => self.add_sdk_path(&self.types.workspace.foreign_path(module, path)),
        }
    }

    /// Adds the operation of the AWS SDK that a full path such as `aws_sdk_kms::Client::encrypt`
    /// names.
    fn add_sdk_path(&mut self, full_path: &[String]) {
        let [sdk, .., type_name, function] = full_path else { return };
        let Some(service) = sdk.strip_prefix("aws_sdk_") else { return };
        // The code names `Put::builder` and builds a part of a request.
        if function == "builder" {
            self.add_operation(service, type_name);
        }
        // The code names `Client::get_item` and may call it later.
        if type_name == "Client"
            && let Some(operations) = self.types.sdk_operations.get(service)
            && operations.contains(function)
        {
            self.add_operation(service, function);
        }
    }

    fn add_operation(&mut self, service: &str, name: &str) {
        let (service, name) = (service.to_owned(), name.to_owned());
        self.reached.operations.insert(SdkOperation { service, name });
    }

    /// Adds a method of a type or trait. Returns whether the type or trait has such a method.
    fn add_method(&mut self, owner: &ItemKey, name: &str) -> bool {
        let index = self.types.index;
        let key = (owner.clone(), name.to_owned());
        let methods = index.methods.get(&key).into_iter().flatten();
        let methods: Vec<_> = methods.chain(index.trait_methods.get(&key)).copied().collect();
        self.called.extend(&methods);
        if index.trait_methods.contains_key(&key) {
            self.reached.trait_methods.insert(key);
        }
        !methods.is_empty()
    }

    /// Adds the methods that a call on a receiver of this type can reach.
    fn add_method_call(&mut self, receiver: &ValueType, name: &str, argument_count: usize) {
        let owners = match receiver {
            ValueType::InWorkspace(key) => vec![key.clone()],
            ValueType::Bounds(traits) => self.types.with_supertraits(traits.clone()),
            ValueType::Client(service) if argument_count == 0 => {
                self.add_operation(service, name);
                return;
            }
            // An operation of a client has no arguments. This method has some, so it sends no
            // request.
            ValueType::Client(_) => return,
            ValueType::Foreign | ValueType::Unknown => Vec::new(),
        };
        // All owners are visited, because several traits may have a method with this name.
        let has_method: Vec<_> = owners.iter().map(|owner| self.add_method(owner, name)).collect();
        if has_method.contains(&true) {
            return;
        }
        // The receiver may be a client, or contain one.
        if argument_count == 0 {
            self.add_operations_named(name);
        }
        if *receiver != ValueType::Foreign {
            self.add_methods_named(name, Some(argument_count));
        }
    }

    /// Adds every operation with this name of the AWS services that the crate uses.
    fn add_operations_named(&mut self, name: &str) {
        let Types { workspace, visible, sdk_operations, .. } = self.types;
        for service in visible.services(workspace, self.function.module) {
            let operations = sdk_operations.get(service);
            if operations.is_some_and(|operations| operations.contains(name)) {
                self.add_operation(service, name);
            }
        }
    }

    /// Adds every method with this name that the function can call on any type. If the number of
    /// arguments is known, only methods with this number of arguments are added.
    fn add_methods_named(&mut self, name: &str, argument_count: Option<usize>) {
        let index = self.types.index;
        let has_matching_arguments = |id: &FunctionId| {
            let function = &index.functions[*id];
            argument_count.is_none_or(|count| count == function.argument_count())
                && function.signature.receiver().is_some()
        };
        for ((key, method), id) in &index.trait_methods {
            let module = self.function.module;
            if method == name
                && has_matching_arguments(id)
                && self.types.visible.has_trait(module, key)
            {
                self.add_method(key, name);
            }
        }
        let workspace = self.types.workspace;
        let is_visible = |id: &&FunctionId| {
            let module = self.function.module;
            self.types.visible.has_method(workspace, module, &index.functions[**id])
        };
        for ((key, method), ids) in &index.methods {
            if method == name {
                let ids = ids.iter().filter(is_visible).filter(|id| has_matching_arguments(id));
                self.reached.candidates.extend(ids.map(|id| (key.clone(), *id)));
            }
        }
    }
}

impl Visit<'_> for CallVisitor<'_> {
    fn visit_path(&mut self, path: &syn::Path) {
        self.add_path(&segments_of(path));
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        let receiver = self.types.type_of_expression(self.function, &call.receiver);
        self.add_method_call(&receiver, &call.method.to_string(), call.args.len());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        match expressions_of(call) {
            Some(expressions) => {
                expressions.iter().for_each(|expression: &Expr| self.visit_expr(expression));
            }
            None => {
                for reference in references_in_macro(call) {
                    self.add_path(&reference.path);
                    if let [name] = reference.path.as_slice() {
                        self.add_operations_named(name);
                        self.add_methods_named(name, None);
                    }
                }
            }
        }
    }

    fn visit_attribute(&mut self, _: &syn::Attribute) {}
}
