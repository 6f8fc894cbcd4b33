//! Types of parameters, fields and results, as far as declarations state them.

use std::collections::BTreeSet;

use syn::{FnArg, GenericArgument, GenericParam, Pat, PathArguments, Type, TypeParamBound};
use syn::{Generics, WherePredicate};

use super::index::{Function, Index, Key, key_of};
use crate::source::{ModuleId, Target, Workspace, references, references_in_trait, segments_of};

/// Type of a value. Wrappers such as `&T`, `Arc<T>` and `Option<T>` count as `T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A type of the workspace.
    Own(Key),
    /// Anything that implements these traits.
    Bounds(Vec<Key>),
    /// Client of an AWS service: `kms`.
    Client(String),
    /// A type of another crate.
    Foreign,
    Unknown,
}

/// Declarations that give names their meaning.
pub(super) struct Types<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) index: &'a Index<'a>,
    /// Traits whose methods each module can call.
    in_scope: Vec<BTreeSet<Key>>,
}

/// Where a type is written: the module, the generics, and the type `Self`.
#[derive(Clone, Copy)]
struct Scope<'s> {
    module: ModuleId,
    generics: &'s [&'s Generics],
    owner: Option<&'s Key>,
}

impl<'s> Scope<'s> {
    fn of(function: &'s Function<'_>) -> Self {
        let Function { module, generics, owner, .. } = function;
        Self { module: *module, generics, owner: owner.as_ref() }
    }
}

impl<'a> Types<'a> {
    pub(super) fn of(workspace: &'a Workspace, index: &'a Index<'a>) -> Self {
        let mut types = Self { workspace, index, in_scope: Vec::new() };
        let modules = 0..workspace.modules.len();
        types.in_scope = modules.map(|module| types.traits_named_in(module)).collect();
        types
    }

    /// Returns whether a module can call the methods of a trait: it names the trait, or a trait
    /// whose definition names it, as a supertrait or a bound.
    pub(super) fn is_in_scope(&self, module: ModuleId, key: &Key) -> bool {
        self.in_scope[module].contains(key)
    }

    fn traits_named_in(&self, module: ModuleId) -> BTreeSet<Key> {
        let items = &self.workspace.modules[module].items;
        let paths = items.iter().flat_map(references).map(|reference| reference.path);
        let named = paths.filter_map(|path| self.workspace.resolve(module, &path));
        let imported = self.workspace.imports(module).map(|(_, target)| target);
        let mut traits: Vec<_> = named.chain(imported).filter_map(item_key).collect();
        let mut found = BTreeSet::new();
        while let Some(key) = traits.pop() {
            let Some(item) = self.index.traits.get(&key) else { continue };
            if found.insert(key.clone()) {
                let paths = references_in_trait(item).into_iter();
                let named = paths.filter_map(|found| self.workspace.resolve(key.0, &found.path));
                traits.extend(named.filter_map(item_key));
            }
        }
        found
    }
    /// Returns the type of `self` or of a parameter.
    pub(super) fn of_parameter(&self, function: &Function<'_>, name: &str) -> Kind {
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
        Kind::Unknown
    }

    fn of_self(&self, owner: Option<&Key>) -> Kind {
        match owner {
            Some(owner) if self.index.traits.contains_key(owner) => {
                Kind::Bounds(vec![owner.clone()])
            }
            Some(owner) => Kind::Own(owner.clone()),
            None => Kind::Unknown,
        }
    }

    /// Returns the type of a field.
    pub(super) fn of_field(&self, base: &Kind, name: &str) -> Kind {
        if *base == Kind::Foreign {
            return Kind::Foreign;
        }
        let Kind::Own(key) = base else { return Kind::Unknown };
        let Some(definition) = self.index.types.get(key) else { return Kind::Unknown };
        let Some(field) = definition.fields.get(name) else { return Kind::Unknown };
        let scope = Scope { module: key.0, generics: &[definition.generics], owner: Some(key) };
        self.of_type(scope, field)
    }

    /// Returns the type that a function returns.
    pub(super) fn of_result(&self, function: &Function<'_>) -> Kind {
        match &function.signature.output {
            syn::ReturnType::Type(_, written) => self.of_type(Scope::of(function), written),
            syn::ReturnType::Default => Kind::Foreign,
        }
    }

    /// Returns the type that a path in a function names.
    pub(super) fn of_path_in(&self, function: &Function<'_>, path: &syn::Path) -> Kind {
        self.of_path(Scope::of(function), path)
    }

    /// Returns a type that is written in a function.
    pub(super) fn of_type_in(&self, function: &Function<'_>, written: &Type) -> Kind {
        self.of_type(Scope::of(function), written)
    }

    fn of_type(&self, scope: Scope<'_>, written: &Type) -> Kind {
        match written {
            Type::Reference(inner) => self.of_type(scope, &inner.elem),
            Type::Paren(inner) => self.of_type(scope, &inner.elem),
            Type::Slice(inner) => self.of_type(scope, &inner.elem),
            Type::ImplTrait(inner) => self.of_bounds(scope.module, inner.bounds.iter()),
            Type::TraitObject(inner) => self.of_bounds(scope.module, inner.bounds.iter()),
            Type::Path(path) => self.of_path(scope, &path.path),
            _ => Kind::Unknown,
        }
    }

    fn of_path(&self, scope: Scope<'_>, path: &syn::Path) -> Kind {
        let segments = segments_of(path);
        let names: Vec<_> = segments.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["Self"] => return self.of_self(scope.owner),
            [name] if self.is_parameter(scope, name) => {
                return Kind::Bounds(self.bounds_of_parameter(scope, name));
            }
            // `P::Store`: the methods of all traits in scope count.
            [name, _] if self.is_parameter(scope, name) => return Kind::Unknown,
            _ => {}
        }
        if let Some(key) = key_of(self.workspace, scope.module, path) {
            return match self.index.aliases.get(&key) {
                Some(alias) => {
                    self.of_type(Scope { module: key.0, generics: &[], owner: None }, alias)
                }
                None => Kind::Own(key),
            };
        }
        let full = self.workspace.foreign_path(scope.module, &segments);
        if let [sdk, .., name] = full.as_slice()
            && let Some(service) = sdk.strip_prefix("aws_sdk_")
            && name == "Client"
        {
            return Kind::Client(service.to_owned());
        }
        let arguments = path.segments.last().map(|segment| &segment.arguments);
        if let Some(PathArguments::AngleBracketed(arguments)) = arguments {
            let inner = arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            });
            return inner.map_or(Kind::Foreign, |inner| self.of_type(scope, inner));
        }
        Kind::Foreign
    }

    fn is_parameter(&self, scope: Scope<'_>, name: &str) -> bool {
        let mut parameters = scope.generics.iter().flat_map(|generics| generics.type_params());
        parameters.any(|parameter| parameter.ident == name)
    }

    fn bounds_of_parameter(&self, scope: Scope<'_>, name: &str) -> Vec<Key> {
        let mut found = Vec::new();
        for generics in scope.generics {
            for parameter in &generics.params {
                if let GenericParam::Type(parameter) = parameter
                    && parameter.ident == name
                {
                    found.extend(self.traits(scope.module, parameter.bounds.iter()));
                }
            }
            let predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            for predicate in predicates {
                if let WherePredicate::Type(predicate) = predicate
                    && let Type::Path(path) = &predicate.bounded_ty
                    && path.path.is_ident(name)
                {
                    found.extend(self.traits(scope.module, predicate.bounds.iter()));
                }
            }
        }
        found
    }

    fn of_bounds<'b>(
        &self,
        module: ModuleId,
        bounds: impl Iterator<Item = &'b TypeParamBound>,
    ) -> Kind {
        Kind::Bounds(self.traits(module, bounds))
    }

    fn traits<'b>(
        &self,
        module: ModuleId,
        bounds: impl Iterator<Item = &'b TypeParamBound>,
    ) -> Vec<Key> {
        let paths = bounds.filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => Some(&bound.path),
            _ => None,
        });
        paths.filter_map(|path| key_of(self.workspace, module, path)).collect()
    }

    /// Adds the supertraits of traits.
    pub(super) fn with_supertraits(&self, mut traits: Vec<Key>) -> Vec<Key> {
        let mut position = 0;
        while let Some(key) = traits.get(position).cloned() {
            if let Some(item) = self.index.traits.get(&key) {
                for found in self.traits(key.0, item.supertraits.iter()) {
                    if !traits.contains(&found) {
                        traits.push(found);
                    }
                }
            }
            position += 1;
        }
        traits
    }

    /// Returns the traits that a type parameter of a function must implement.
    pub(super) fn parameter_traits(&self, function: &Function<'_>, name: &str) -> Vec<Key> {
        self.with_supertraits(self.bounds_of_parameter(Scope::of(function), name))
    }
}

fn item_key(target: Target) -> Option<Key> {
    match target {
        Target::Item { module, path } => Some((module, path.first()?.clone())),
        Target::Module(_) => None,
    }
}

/// Returns whether a pattern binds a name, also inside a wrapper such as `State(api)`.
fn binds(pattern: &Pat, name: &str) -> bool {
    match pattern {
        Pat::Ident(pattern) => pattern.ident == name,
        Pat::TupleStruct(pattern) => pattern.elems.iter().any(|pattern| binds(pattern, name)),
        _ => false,
    }
}
