//! Determines the type of the value on which a method is called.
//!
//! The analysis knows a type only if a declaration in the source code states it: of a parameter, a
//! field, an alias or a local variable with a simple value.

use syn::{Expr, FnArg, GenericArgument, Generics, Pat, PathArguments, Type};

use super::index::{Function, Index, ItemKey, key_of};
use super::scope::Visible;
use super::sdk::Operations;
use crate::source::{ModuleId, Workspace, segments_of};

/// Type of a value. Wrappers such as `&T`, `Arc<T>` and `Option<T>` count as `T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueType {
    /// A type of the workspace.
    Own(ItemKey),
    /// An unknown type that implements these traits.
    Bounds(Vec<ItemKey>),
    /// Client of an AWS service in the AWS SDK, such as `kms`.
    Client(String),
    /// A type of another crate. Its methods return no values of types of the workspace.
    Foreign,
    /// The declarations do not state the type.
    Unknown,
}

/// Declarations with which the type of an expression is determined.
pub(super) struct Types<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) index: &'a Index<'a>,
    pub(super) visible: Visible,
    pub(super) sdk_operations: Operations,
}

/// Context in which the source code names a type: the module, the generics, and the type `Self`.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) module: ModuleId,
    pub(super) generics: &'s [&'s Generics],
    owner: Option<&'s ItemKey>,
}

impl<'s> Scope<'s> {
    pub(super) fn of(function: &'s Function<'_>) -> Self {
        let Function { module, generics, owner, .. } = function;
        Self { module: *module, generics, owner: owner.as_ref() }
    }
}

impl Types<'_> {
    /// Returns the type of an expression in a function, such as `self`, a parameter, or a field of
    /// one of them.
    pub(super) fn of_expression(&self, function: &Function<'_>, expression: &Expr) -> ValueType {
        match expression {
            Expr::Path(path) => match path.path.get_ident().map(ToString::to_string) {
                Some(name) => match function.locals.get(&name) {
                    Some(Some(value)) if !is_computed(value) => self.of_expression(function, value),
                    Some(_) => ValueType::Unknown,
                    None => self.of_parameter(function, &name),
                },
                None => ValueType::Unknown,
            },
            Expr::Field(field) => {
                let name = match &field.member {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(index) => index.index.to_string(),
                };
                self.of_field(&self.of_expression(function, &field.base), &name)
            }
            Expr::Reference(inner) => self.of_expression(function, &inner.expr),
            Expr::Paren(inner) => self.of_expression(function, &inner.expr),
            Expr::Unary(inner) => self.of_expression(function, &inner.expr),
            Expr::Lit(_) => ValueType::Foreign,
            // Functions of the AWS SDK return no values of types of this workspace.
            Expr::Call(call) => self.of_sdk_call(function, &call.func),
            Expr::MethodCall(call) => match self.of_expression(function, &call.receiver) {
                ValueType::Client(_) | ValueType::Foreign => ValueType::Foreign,
                _ => ValueType::Unknown,
            },
            _ => ValueType::Unknown,
        }
    }

    /// Returns the type of the result of a call, if the called function is one of the AWS SDK.
    fn of_sdk_call(&self, function: &Function<'_>, called: &Expr) -> ValueType {
        let Expr::Path(path) = called else { return ValueType::Unknown };
        let full = self.workspace.foreign_path(function.module, &segments_of(&path.path));
        match full.as_slice() {
            [sdk, .., name, _] if sdk.starts_with("aws_sdk_") => {
                client_of(sdk, name).unwrap_or(ValueType::Foreign)
            }
            _ => ValueType::Unknown,
        }
    }

    fn of_parameter(&self, function: &Function<'_>, name: &str) -> ValueType {
        let scope = Scope::of(function);
        for parameter in &function.signature.inputs {
            match parameter {
                FnArg::Receiver(_) if name == "self" => return self.of_self(scope.owner),
                FnArg::Typed(parameter) if binds(&parameter.pat, name) => {
                    return self.of_type(scope, &parameter.ty);
                }
                _ => {}
            }
        }
        ValueType::Unknown
    }

    fn of_self(&self, owner: Option<&ItemKey>) -> ValueType {
        match owner {
            Some(owner) if self.index.traits.contains_key(owner) => {
                ValueType::Bounds(vec![owner.clone()])
            }
            Some(owner) => ValueType::Own(owner.clone()),
            None => ValueType::Unknown,
        }
    }

    fn of_field(&self, base: &ValueType, name: &str) -> ValueType {
        if *base == ValueType::Foreign {
            return ValueType::Foreign;
        }
        let ValueType::Own(key) = base else { return ValueType::Unknown };
        let Some(definition) = self.index.types.get(key) else { return ValueType::Unknown };
        let Some(field) = definition.fields.get(name) else { return ValueType::Unknown };
        let scope =
            Scope { module: key.module, generics: &[definition.generics], owner: Some(key) };
        self.of_type(scope, field)
    }

    fn of_type(&self, scope: Scope<'_>, declared: &Type) -> ValueType {
        match declared {
            Type::Reference(inner) => self.of_type(scope, &inner.elem),
            Type::Paren(inner) => self.of_type(scope, &inner.elem),
            Type::Slice(inner) => self.of_type(scope, &inner.elem),
            Type::ImplTrait(inner) => self.of_bounds(scope.module, inner.bounds.iter()),
            Type::TraitObject(inner) => self.of_bounds(scope.module, inner.bounds.iter()),
            Type::Path(path) => self.of_path(scope, &path.path),
            _ => ValueType::Unknown,
        }
    }

    fn of_path(&self, scope: Scope<'_>, path: &syn::Path) -> ValueType {
        let segments = segments_of(path);
        let names: Vec<_> = segments.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["Self"] => return self.of_self(scope.owner),
            [name] if self.is_parameter(scope, name) => {
                return ValueType::Bounds(self.bounds_of_parameter(scope, name));
            }
            // The type of `P::Store` is unknown, so the methods of all traits in scope count.
            [name, _] if self.is_parameter(scope, name) => return ValueType::Unknown,
            _ => {}
        }
        if let Some(key) = key_of(self.workspace, scope.module, path) {
            return match self.index.aliases.get(&key) {
                Some(alias) => {
                    self.of_type(Scope { module: key.module, generics: &[], owner: None }, alias)
                }
                None => ValueType::Own(key),
            };
        }
        let full = self.workspace.foreign_path(scope.module, &segments);
        if let [sdk, .., name] = full.as_slice()
            && let Some(client) = client_of(sdk, name)
        {
            return client;
        }
        let arguments = path.segments.last().map(|segment| &segment.arguments);
        if let Some(PathArguments::AngleBracketed(arguments)) = arguments {
            let inner = arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            });
            return inner.map_or(ValueType::Foreign, |inner| self.of_type(scope, inner));
        }
        ValueType::Foreign
    }
}

/// Returns the type of a client, if the named type of the SDK is a client.
fn client_of(sdk: &str, name: &str) -> Option<ValueType> {
    let service = sdk.strip_prefix("aws_sdk_").filter(|_| name == "Client")?;
    Some(ValueType::Client(service.to_owned()))
}

/// Returns whether a value is neither a field of `self` nor the result of a function. The type of
/// such a value may depend on other local values.
fn is_computed(value: &Expr) -> bool {
    match value {
        Expr::Reference(inner) => is_computed(&inner.expr),
        Expr::Field(field) => is_computed(&field.base),
        Expr::Path(path) => !path.path.is_ident("self"),
        Expr::Call(_) => false,
        _ => true,
    }
}

/// Returns whether a pattern binds a name. The name may be inside a wrapper such as `State(api)`.
fn binds(pattern: &Pat, name: &str) -> bool {
    match pattern {
        Pat::Ident(pattern) => pattern.ident == name,
        Pat::TupleStruct(pattern) => pattern.elems.iter().any(|pattern| binds(pattern, name)),
        _ => false,
    }
}
