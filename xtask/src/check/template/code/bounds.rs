//! Finds the traits that a declaration requires of a value.
//!
//! A *bound* is a trait that a declaration requires: `T: Store`, `impl Store` and `dyn Store` all
//! have the bound `Store`. The analysis uses bounds to find the methods that can be called on the
//! value.

use syn::{GenericParam, Type, TypeParamBound, WherePredicate};

use super::index::{Function, ItemKey, key_of};
use super::types::{Scope, Types, ValueType};
use crate::source::ModuleId;

impl Types<'_> {
    /// Returns whether a name is a type parameter.
    pub(super) fn is_type_parameter(&self, scope: Scope<'_>, name: &str) -> bool {
        let mut parameters = scope.generics.iter().flat_map(|generics| generics.type_params());
        parameters.any(|parameter| parameter.ident == name)
    }

    /// Returns the traits that the declaration of a type parameter requires, without supertraits.
    pub(super) fn bounds_of_type_parameter(&self, scope: Scope<'_>, name: &str) -> Vec<ItemKey> {
        let mut traits = Vec::new();
        for generics in scope.generics {
            for parameter in &generics.params {
                if let GenericParam::Type(parameter) = parameter
                    && parameter.ident == name
                {
                    traits.extend(self.traits_of_bounds(scope.module, parameter.bounds.iter()));
                }
            }
            let predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            for predicate in predicates {
                if let WherePredicate::Type(predicate) = predicate
                    && let Type::Path(path) = &predicate.bounded_ty
                    && path.path.is_ident(name)
                {
                    traits.extend(self.traits_of_bounds(scope.module, predicate.bounds.iter()));
                }
            }
        }
        traits
    }

    /// Returns the type of a value whose declaration states only bounds.
    pub(super) fn type_of_bounds<'b>(
        &self,
        module: ModuleId,
        bounds: impl Iterator<Item = &'b TypeParamBound>,
    ) -> ValueType {
        ValueType::Bounds(self.traits_of_bounds(module, bounds))
    }

    /// Returns the traits of the workspace that the bounds name.
    fn traits_of_bounds<'b>(
        &self,
        module: ModuleId,
        bounds: impl Iterator<Item = &'b TypeParamBound>,
    ) -> Vec<ItemKey> {
        let paths = bounds.filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => Some(&bound.path),
            _ => None,
        });
        paths.filter_map(|path| key_of(self.workspace, module, path)).collect()
    }

    /// Returns the traits together with all their supertraits.
    pub(super) fn with_supertraits(&self, mut traits: Vec<ItemKey>) -> Vec<ItemKey> {
        let mut next_trait = 0;
        while let Some(key) = traits.get(next_trait).cloned() {
            if let Some(item) = self.index.traits.get(&key) {
                for supertrait in self.traits_of_bounds(key.module, item.supertraits.iter()) {
                    if !traits.contains(&supertrait) {
                        traits.push(supertrait);
                    }
                }
            }
            next_trait += 1;
        }
        traits
    }

    /// Returns the traits that a type parameter of a function must implement, with supertraits.
    pub(super) fn traits_of_type_parameter(
        &self,
        function: &Function<'_>,
        name: &str,
    ) -> Vec<ItemKey> {
        self.with_supertraits(self.bounds_of_type_parameter(Scope::of_function(function), name))
    }
}
