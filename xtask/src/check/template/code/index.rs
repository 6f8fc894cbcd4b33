//! Index of the functions, types and traits in the source code that runs in Lambda.
//!
//! The analysis of the call graph looks up definitions in this index by module and name. The
//! *owner* of a method is the type or trait to which the method belongs. An *inherent* method
//! belongs to a type and not to a trait. A *foreign* trait is one that a crate outside the
//! workspace defines.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{
    Block, Expr, Fields, Generics, ImplItem, Item, Pat, Signature, TraitItem, Type, Visibility,
};

use crate::source::{ModuleId, Target, Workspace, segments_of};

/// Key of a type, a trait or a free function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemKey {
    pub(super) module: ModuleId,
    pub(super) name: String,
}

impl ItemKey {
    fn new(module: ModuleId, name: &syn::Ident) -> Self {
        Self { module, name: name.to_string() }
    }
}

/// Position of a function in [`Index::functions`].
pub(super) type FunctionId = usize;

/// One method in the implementation of a trait.
pub(super) struct Implementation {
    /// The type that implements the trait. `None` for a type outside the workspace, and for an
    /// implementation for all types.
    pub(super) owner: Option<ItemKey>,
    pub(super) method: FunctionId,
}

/// Kind of an `impl` block.
enum ImplKind {
    /// Inherent methods of a type.
    Inherent,
    /// Implementation of this trait of the workspace.
    OfTrait(ItemKey),
    /// Implementation of a trait outside the workspace.
    OfForeignTrait,
}

/// A function or method.
pub(super) struct Function<'a> {
    pub(super) module: ModuleId,
    /// Type of `self`. For a function that a trait declares, it is the trait. `None` for a free
    /// function.
    pub(super) owner: Option<ItemKey>,
    /// Module in which an inherent method is visible, together with the modules below it. `None`
    /// for other functions.
    pub(super) visible_in: Option<ModuleId>,
    pub(super) signature: &'a Signature,
    pub(super) body: Option<&'a Block>,
    /// Local variables of the body, with their values. The value is `None` if it is unknown. A
    /// local variable hides a parameter of the same name.
    pub(super) locals: BTreeMap<String, Option<&'a Expr>>,
    /// Generics of the function and of the `impl` block or trait around it.
    pub(super) generics: Vec<&'a Generics>,
}

/// Definition of a type of the workspace.
pub(super) struct TypeDefinition<'a> {
    pub(super) fields: BTreeMap<String, &'a Type>,
    pub(super) generics: &'a Generics,
}

/// Index of all definitions in the code.
#[derive(Default)]
pub(super) struct Index<'a> {
    pub(super) functions: Vec<Function<'a>>,
    /// Functions that are not methods.
    pub(super) free_functions: BTreeMap<ItemKey, FunctionId>,
    /// Inherent methods and trait methods of types, by the type and the name.
    pub(super) methods: BTreeMap<(ItemKey, String), Vec<FunctionId>>,
    /// Declarations of methods in traits, by the trait and the name.
    pub(super) trait_methods: BTreeMap<(ItemKey, String), FunctionId>,
    /// Implementations of these methods by types, by the trait and the name.
    pub(super) implementations: BTreeMap<(ItemKey, String), Vec<Implementation>>,
    /// Methods by which types implement foreign traits, by the type.
    pub(super) foreign_implementations: BTreeMap<ItemKey, Vec<FunctionId>>,
    pub(super) types: BTreeMap<ItemKey, TypeDefinition<'a>>,
    pub(super) aliases: BTreeMap<ItemKey, &'a Type>,
    pub(super) traits: BTreeMap<ItemKey, &'a syn::ItemTrait>,
}

impl<'a> Index<'a> {
    pub(super) fn of_workspace(workspace: &'a Workspace) -> Self {
        let mut index = Self::default();
        for (module, content) in workspace.modules.iter().enumerate() {
            for item in &content.items {
                index.add(workspace, module, item);
            }
        }
        index
    }

    fn add(&mut self, workspace: &'a Workspace, module: ModuleId, item: &'a Item) {
        match item {
            Item::Fn(item) => {
                let generics = vec![&item.sig.generics];
                let id = self.add_function(module, None, &item.sig, Some(&item.block), generics);
                self.free_functions.insert(ItemKey::new(module, &item.sig.ident), id);
            }
            Item::Struct(item) => {
                let fields = field_types(&item.fields);
                let definition = TypeDefinition { fields, generics: &item.generics };
                self.types.insert(ItemKey::new(module, &item.ident), definition);
            }
            Item::Enum(item) => {
                let fields = item.variants.iter().flat_map(|variant| field_types(&variant.fields));
                let definition =
                    TypeDefinition { fields: fields.collect(), generics: &item.generics };
                self.types.insert(ItemKey::new(module, &item.ident), definition);
            }
            Item::Type(item) => {
                self.aliases.insert(ItemKey::new(module, &item.ident), &item.ty);
            }
            Item::Trait(item) => self.add_trait(module, item),
            Item::Impl(item) => self.add_impl(workspace, module, item),
            _ => {}
        }
    }

    fn add_trait(&mut self, module: ModuleId, item: &'a syn::ItemTrait) {
        let key = ItemKey::new(module, &item.ident);
        for method in &item.items {
            let TraitItem::Fn(method) = method else { continue };
            let generics = vec![&item.generics, &method.sig.generics];
            let body = method.default.as_ref();
            let id = self.add_function(module, Some(key.clone()), &method.sig, body, generics);
            self.trait_methods.insert((key.clone(), method.sig.ident.to_string()), id);
        }
        self.traits.insert(key, item);
    }

    fn add_impl(&mut self, workspace: &Workspace, module: ModuleId, item: &'a syn::ItemImpl) {
        let owner = match &*item.self_ty {
            Type::Path(path) => key_of(workspace, module, &path.path),
            _ => None,
        };
        let kind = match &item.trait_ {
            None => ImplKind::Inherent,
            Some((_, path, _)) => {
                key_of(workspace, module, path).map_or(ImplKind::OfForeignTrait, ImplKind::OfTrait)
            }
        };
        for method in &item.items {
            let ImplItem::Fn(method) = method else { continue };
            let name = method.sig.ident.to_string();
            let generics = vec![&item.generics, &method.sig.generics];
            let body = Some(&method.block);
            let id = self.add_function(module, owner.clone(), &method.sig, body, generics);
            if let Some(owner) = &owner {
                self.methods.entry((owner.clone(), name.clone())).or_default().push(id);
            }
            match &kind {
                ImplKind::Inherent => {
                    let scope = visibility_scope(workspace, module, &method.vis);
                    self.functions[id].visible_in = Some(scope);
                }
                ImplKind::OfTrait(trait_key) => {
                    let implementation = Implementation { owner: owner.clone(), method: id };
                    let key = (trait_key.clone(), name);
                    self.implementations.entry(key).or_default().push(implementation);
                }
                ImplKind::OfForeignTrait => {
                    if let Some(owner) = &owner {
                        self.foreign_implementations.entry(owner.clone()).or_default().push(id);
                    }
                }
            }
        }
    }

    fn add_function(
        &mut self,
        module: ModuleId,
        owner: Option<ItemKey>,
        signature: &'a Signature,
        body: Option<&'a Block>,
        generics: Vec<&'a Generics>,
    ) -> FunctionId {
        let mut locals = Locals::default();
        if let Some(body) = body {
            locals.visit_block(body);
        }
        self.functions.push(Function {
            module,
            owner,
            visible_in: None,
            signature,
            body,
            locals: locals.0,
            generics,
        });
        self.functions.len() - 1
    }
}

/// Visitor that collects the local variables of a body, each with its value.
#[derive(Default)]
struct Locals<'a>(BTreeMap<String, Option<&'a Expr>>);

impl<'a> Visit<'a> for Locals<'a> {
    fn visit_local(&mut self, local: &'a syn::Local) {
        visit::visit_local(self, local);
        if let (Pat::Ident(pattern), Some(init)) = (&local.pat, &local.init) {
            self.0.insert(pattern.ident.to_string(), Some(&init.expr));
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
        self.0.insert(pattern.ident.to_string(), None);
    }
}

/// Returns the module in which an item of `module` is visible.
fn visibility_scope(workspace: &Workspace, module: ModuleId, visibility: &Visibility) -> ModuleId {
    match visibility {
        Visibility::Inherited => module,
        Visibility::Restricted(restricted) => {
            match workspace.resolve(module, &segments_of(&restricted.path)) {
                Some(Target::Module(scope)) => scope,
                _ => workspace.modules[module].crate_root(),
            }
        }
        Visibility::Public(_) => workspace.modules[module].crate_root(),
    }
}

/// Returns the type or trait of the workspace that a path names.
pub(super) fn key_of(workspace: &Workspace, module: ModuleId, path: &syn::Path) -> Option<ItemKey> {
    match workspace.resolve(module, &segments_of(path))? {
        Target::Item { module, path } if path.len() == 1 => {
            Some(ItemKey { module, name: path[0].clone() })
        }
        _ => None,
    }
}

/// Returns the types of fields by name. A field of a tuple has its position as name.
fn field_types(fields: &Fields) -> BTreeMap<String, &Type> {
    let name_of = |index: usize, field: &syn::Field| match &field.ident {
        Some(name) => name.to_string(),
        None => index.to_string(),
    };
    fields.iter().enumerate().map(|(index, field)| (name_of(index, field), &field.ty)).collect()
}
