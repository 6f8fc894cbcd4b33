//! Determines the type of the value on which a method is called.
//!
//! The call graph needs this type to find the called method. The analysis infers no types. It knows
//! a type in two cases only: the source code declares it (for a parameter, a field or an alias), or
//! a local variable has a simple value such as `&self.client`.

use syn::{Expr, FnArg, GenericArgument, Generics, Pat, PathArguments, Type};

use super::index::{Function, Index, ItemKey, key_of};
use super::scope::Visible;
use super::sdk::Operations;
use crate::source::{ModuleId, Workspace, segments_of};

/// Type of a value. Wrappers such as `&T`, `Arc<T>` and `Option<T>` count as `T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueType {
    /// A type of the workspace.
    InWorkspace(ItemKey),
    /// An unknown type that implements these traits.
    Bounds(Vec<ItemKey>),
    /// Client of an AWS service in the AWS SDK, such as `kms`.
    Client(String),
    /// A type from outside the workspace. The analysis assumes that its methods never return a
    /// value of a type of the workspace.
    Foreign,
    /// The declarations do not state the type.
    Unknown,
}

/// Determines the types of expressions from the declarations in the source code.
pub(super) struct Types<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) index: &'a Index<'a>,
    pub(super) visible: Visible,
    pub(super) sdk_operations: Operations,
}

/// Context that gives a type name in the source code its meaning: the module, the generics, and the
/// type `Self`.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) module: ModuleId,
    pub(super) generics: &'s [&'s Generics],
    owner: Option<&'s ItemKey>,
}

impl<'s> Scope<'s> {
    pub(super) fn of_function(function: &'s Function<'_>) -> Self {
        let Function { module, generics, owner, .. } = function;
        Self { module: *module, generics, owner: owner.as_ref() }
    }
}

impl Types<'_> {
    /// Returns the type of an expression in a function. Known expressions are `self`, parameters,
    /// local variables with simple values, and fields of these.
    pub(super) fn type_of_expression(
        &self,
        function: &Function<'_>,
        expression: &Expr,
    ) -> ValueType {
        match expression {
            Expr::Path(path) => match path.path.get_ident().map(ToString::to_string) {
                Some(name) => match function.locals.get(&name) {
                    Some(Some(value)) if !is_computed(value) => {
                        self.type_of_expression(function, value)
                    }
                    Some(_) => ValueType::Unknown,
                    None => self.type_of_parameter(function, &name),
                },
                None => ValueType::Unknown,
            },
            Expr::Field(field) => {
                let name = match &field.member {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(index) => index.index.to_string(),
                };
                self.type_of_field(&self.type_of_expression(function, &field.base), &name)
            }
            Expr::Reference(inner) => self.type_of_expression(function, &inner.expr),
            Expr::Paren(inner) => self.type_of_expression(function, &inner.expr),
            Expr::Unary(inner) => self.type_of_expression(function, &inner.expr),
            Expr::Lit(_) => ValueType::Foreign,
            Expr::Call(call) => self.type_of_sdk_call(function, &call.func),
            Expr::MethodCall(call) => match self.type_of_expression(function, &call.receiver) {
                ValueType::Client(_) | ValueType::Foreign => ValueType::Foreign,
                _ => ValueType::Unknown,
            },
            _ => ValueType::Unknown,
        }
    }

    /// Returns the type of the result of a call. For a function of the AWS SDK, it is a client or
    /// `Foreign`, because the SDK never returns a type of the workspace. For any other function, it
    /// is `Unknown`.
    fn type_of_sdk_call(&self, function: &Function<'_>, called: &Expr) -> ValueType {
        let Expr::Path(path) = called else { return ValueType::Unknown };
        let full_path = self.workspace.foreign_path(function.module, &segments_of(&path.path));
        match full_path.as_slice() {
            [sdk, .., name, _] if sdk.starts_with("aws_sdk_") => {
                client_of(sdk, name).unwrap_or(ValueType::Foreign)
            }
            _ => ValueType::Unknown,
        }
    }

    /// Returns the type of a function's parameter.
    fn type_of_parameter(&self, function: &Function<'_>, name: &str) -> ValueType {
        let scope = Scope::of_function(function);
        for parameter in &function.signature.inputs {
            match parameter {
                FnArg::Receiver(_) if name == "self" => return self.type_of_self(scope.owner),
                FnArg::Typed(parameter) if binds(&parameter.pat, name) => {
                    return self.type_of_declaration(scope, &parameter.ty);
                }
                _ => {}
            }
        }
        ValueType::Unknown
    }

    /// Returns the type of `self` in a method of `owner`.
    fn type_of_self(&self, owner: Option<&ItemKey>) -> ValueType {
        match owner {
            Some(owner) if self.index.traits.contains_key(owner) => {
                ValueType::Bounds(vec![owner.clone()])
            }
            Some(owner) => ValueType::InWorkspace(owner.clone()),
            None => ValueType::Unknown,
        }
    }

    /// Returns the type of a field of a value of the type `base`.
    fn type_of_field(&self, base: &ValueType, name: &str) -> ValueType {
        if *base == ValueType::Foreign {
            return ValueType::Foreign;
        }
        let ValueType::InWorkspace(key) = base else { return ValueType::Unknown };
        let Some(definition) = self.index.types.get(key) else { return ValueType::Unknown };
        let Some(field) = definition.fields.get(name) else { return ValueType::Unknown };
        let scope =
            Scope { module: key.module, generics: &[definition.generics], owner: Some(key) };
        self.type_of_declaration(scope, field)
    }

    /// Returns the type of a value that is declared with this type.
    fn type_of_declaration(&self, scope: Scope<'_>, declared: &Type) -> ValueType {
        match declared {
            Type::Reference(inner) => self.type_of_declaration(scope, &inner.elem),
            Type::Paren(inner) => self.type_of_declaration(scope, &inner.elem),
            Type::Slice(inner) => self.type_of_declaration(scope, &inner.elem),
            Type::ImplTrait(inner) => self.type_of_bounds(scope.module, inner.bounds.iter()),
            Type::TraitObject(inner) => self.type_of_bounds(scope.module, inner.bounds.iter()),
            Type::Path(path) => self.type_of_path(scope, &path.path),
            _ => ValueType::Unknown,
        }
    }

    /// Returns the type of a value that is declared with the type at this path.
    fn type_of_path(&self, scope: Scope<'_>, path: &syn::Path) -> ValueType {
        let segments = segments_of(path);
        let names: Vec<_> = segments.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["Self"] => return self.type_of_self(scope.owner),
            [name] if self.is_type_parameter(scope, name) => {
                return ValueType::Bounds(self.bounds_of_type_parameter(scope, name));
            }
            // This is an associated type such as `P::Store`. Its type is unknown, so a call on it
            // counts as a call of every visible method with that name.
            [name, _] if self.is_type_parameter(scope, name) => return ValueType::Unknown,
            _ => {}
        }
        if let Some(key) = key_of(self.workspace, scope.module, path) {
            return match self.index.aliases.get(&key) {
                Some(alias) => self.type_of_declaration(
                    Scope { module: key.module, generics: &[], owner: None },
                    alias,
                ),
                None => ValueType::InWorkspace(key),
            };
        }
        let full_path = self.workspace.foreign_path(scope.module, &segments);
        if let [sdk, .., name] = full_path.as_slice()
            && let Some(client) = client_of(sdk, name)
        {
            return client;
        }
        // A wrapper such as `Arc<T>` counts as its first type argument.
        let arguments = path.segments.last().map(|segment| &segment.arguments);
        if let Some(PathArguments::AngleBracketed(arguments)) = arguments {
            let inner = arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            });
            return inner
                .map_or(ValueType::Foreign, |inner| self.type_of_declaration(scope, inner));
        }
        ValueType::Foreign
    }
}

/// Returns the client type for the type `name` of the SDK crate `sdk`. Returns `None` if that type
/// is no client.
fn client_of(sdk: &str, name: &str) -> Option<ValueType> {
    let service = sdk.strip_prefix("aws_sdk_").filter(|_| name == "Client")?;
    Some(ValueType::Client(service.to_owned()))
}

/// Returns whether the type of a local variable's value cannot be determined, because the value is
/// neither a field of `self` nor the result of a function. Such a value may depend on other local
/// variables.
fn is_computed(value: &Expr) -> bool {
    match value {
        Expr::Reference(inner) => is_computed(&inner.expr),
        Expr::Field(field) => is_computed(&field.base),
        Expr::Path(path) => !path.path.is_ident("self"),
        Expr::Call(_) => false,
        _ => true,
    }
}

/// Returns whether a parameter's pattern introduces a name, directly or inside a wrapper such as
/// `State(api)`.
fn binds(pattern: &Pat, name: &str) -> bool {
    match pattern {
        Pat::Ident(pattern) => pattern.ident == name,
        Pat::TupleStruct(pattern) => pattern.elems.iter().any(|pattern| binds(pattern, name)),
        _ => false,
    }
}
