//! Infers the types of expressions from declarations, as far as receivers of calls need it.

use std::collections::BTreeMap;

use syn::{Expr, Pat, Stmt};

use super::index::{Function, FunctionId};
use super::types::{Kind, Types};
use crate::source::{Target, segments_of};

/// Methods of wrappers such as `Option` that return the same value in another wrapper.
const TRANSPARENT: [&str; 12] = [
    "as_deref",
    "as_mut",
    "as_ref",
    "clone",
    "cloned",
    "into_iter",
    "iter",
    "lock",
    "map_err",
    "ok",
    "ok_or_else",
    "unwrap_or_default",
];

/// Types of the values in one function.
pub(super) struct Values<'a> {
    pub(super) types: &'a Types<'a>,
    pub(super) function: &'a Function<'a>,
    pub(super) locals: BTreeMap<String, Kind>,
}

impl Values<'_> {
    /// Returns the type of an expression.
    pub(super) fn kind(&self, expression: &Expr) -> Kind {
        match expression {
            Expr::Path(path) => match path.path.get_ident().map(ToString::to_string) {
                Some(name) => match self.locals.get(&name) {
                    Some(kind) => kind.clone(),
                    None => self.types.of_parameter(self.function, &name),
                },
                None => Kind::Unknown,
            },
            Expr::Field(field) => {
                let name = match &field.member {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(index) => index.index.to_string(),
                };
                self.types.of_field(&self.kind(&field.base), &name)
            }
            Expr::Reference(inner) => self.kind(&inner.expr),
            Expr::Paren(inner) => self.kind(&inner.expr),
            Expr::Unary(inner) => self.kind(&inner.expr),
            Expr::Await(inner) => self.kind(&inner.base),
            Expr::Try(inner) => self.kind(&inner.expr),
            Expr::Index(inner) => self.kind(&inner.expr),
            Expr::Struct(value) => self.types.of_path_in(self.function, &value.path),
            Expr::Lit(_) | Expr::Binary(_) => Kind::Foreign,
            Expr::Block(block) => self.block_kind(&block.block.stmts),
            Expr::If(choice) => self.block_kind(&choice.then_branch.stmts),
            Expr::Match(choice) => {
                let kinds = choice.arms.iter().map(|arm| self.kind(&arm.body));
                kinds.into_iter().find(|kind| *kind != Kind::Unknown).unwrap_or(Kind::Unknown)
            }
            Expr::Call(call) => self.call_kind(call),
            Expr::MethodCall(call) => self.method_kind(call),
            _ => Kind::Unknown,
        }
    }

    fn block_kind(&self, statements: &[Stmt]) -> Kind {
        match statements.last() {
            Some(Stmt::Expr(value, None)) => self.kind(value),
            _ => Kind::Unknown,
        }
    }

    fn call_kind(&self, call: &syn::ExprCall) -> Kind {
        let Expr::Path(path) = &*call.func else { return Kind::Unknown };
        let index = self.types.index;
        let segments = segments_of(&path.path);
        let own = self.function.owner.clone();
        let key = match (segments.as_slice(), own) {
            ([name], Some(own)) if name == "Self" => return Kind::Own(own),
            ([first, method], Some(own)) if first == "Self" => Some((own, Some(method.clone()))),
            _ => match self.types.workspace.resolve(self.function.module, &segments) {
                Some(Target::Item { module, path }) => {
                    Some(((module, path[0].clone()), path.get(1).cloned()))
                }
                _ => None,
            },
        };
        let Some((key, method)) = key else { return self.foreign_call_kind(call, &segments) };
        let functions: &[FunctionId] = match method {
            None if index.types.contains_key(&key) => return Kind::Own(key),
            None => index.free.get(&key).map(std::slice::from_ref).unwrap_or_default(),
            Some(method) => {
                index.methods.get(&(key, method)).map(Vec::as_slice).unwrap_or_default()
            }
        };
        functions.first().map_or(Kind::Unknown, |id| self.types.of_result(&index.functions[*id]))
    }

    /// Returns the type of a call such as `Some(value)` or `Box::pin(value)`.
    fn foreign_call_kind(&self, call: &syn::ExprCall, path: &[String]) -> Kind {
        let full = self.types.workspace.foreign_path(self.function.module, path);
        if let [sdk, .., name, _] = full.as_slice()
            && let Some(service) = sdk.strip_prefix("aws_sdk_")
        {
            let is_client = name == "Client";
            return if is_client { Kind::Client(service.to_owned()) } else { Kind::Foreign };
        }
        match call.args.first() {
            Some(value) if call.args.len() == 1 => self.kind(value),
            _ => Kind::Unknown,
        }
    }

    fn method_kind(&self, call: &syn::ExprMethodCall) -> Kind {
        let name = call.method.to_string();
        let index = self.types.index;
        let receiver = self.kind(&call.receiver);
        let takes_closure = call.args.iter().any(|argument| matches!(argument, Expr::Closure(_)));
        let id = match &receiver {
            Kind::Own(key) => {
                let all = index.methods.get(&(key.clone(), name.clone()));
                all.and_then(|all| all.first().copied())
            }
            Kind::Bounds(traits) => {
                let traits = self.types.with_supertraits(traits.clone());
                let declared = |key| index.declared.get(&(key, name.clone())).copied();
                traits.into_iter().find_map(declared)
            }
            // The SDK returns no values of this workspace.
            Kind::Client(_) => return Kind::Foreign,
            Kind::Foreign if !takes_closure => return Kind::Foreign,
            Kind::Foreign | Kind::Unknown => None,
        };
        match id {
            Some(id) => self.types.of_result(&index.functions[id]),
            None if TRANSPARENT.contains(&name.as_str()) => receiver,
            None => Kind::Unknown,
        }
    }

    /// Gives the names in a pattern the types of the matched value.
    pub(super) fn bind(&mut self, pattern: &Pat, value: Option<&Expr>) {
        match (pattern, value) {
            (Pat::Tuple(pattern), Some(Expr::Tuple(value))) => {
                for (pattern, value) in pattern.elems.iter().zip(&value.elems) {
                    self.bind(pattern, Some(value));
                }
            }
            (Pat::Type(pattern), _) => {
                let kind = self.types.of_type_in(self.function, &pattern.ty);
                self.bind_kind(&pattern.pat, &kind);
            }
            _ => {
                let kind = value.map_or(Kind::Unknown, |value| self.kind(value));
                self.bind_kind(pattern, &kind);
            }
        }
    }

    fn bind_kind(&mut self, pattern: &Pat, kind: &Kind) {
        match pattern {
            Pat::Ident(pattern) => {
                self.locals.insert(pattern.ident.to_string(), kind.clone());
            }
            Pat::Reference(pattern) => self.bind_kind(&pattern.pat, kind),
            // `Some(value)`; the value of an own variant has another type.
            Pat::TupleStruct(pattern) => {
                let own = self.types.of_path_in(self.function, &pattern.path);
                let kind = if matches!(own, Kind::Own(_)) { &Kind::Unknown } else { kind };
                pattern.elems.iter().for_each(|pattern| self.bind_kind(pattern, kind));
            }
            Pat::Struct(pattern) => {
                let own = self.types.of_path_in(self.function, &pattern.path);
                for field in &pattern.fields {
                    let syn::Member::Named(name) = &field.member else { continue };
                    let kind = self.types.of_field(&own, &name.to_string());
                    self.bind_kind(&field.pat, &kind);
                }
            }
            Pat::Tuple(pattern) => {
                let kind = if *kind == Kind::Foreign { kind } else { &Kind::Unknown };
                pattern.elems.iter().for_each(|pattern| self.bind_kind(pattern, kind));
            }
            _ => {}
        }
    }
}
