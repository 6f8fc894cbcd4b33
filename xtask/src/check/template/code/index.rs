//! Functions, types and traits of the code that runs in Lambda.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{
    Block, Expr, Fields, Generics, ImplItem, Item, Pat, Signature, TraitItem, Type, Visibility,
};

use crate::source::{ModuleId, Target, Workspace, segments_of};

/// A type or trait: its module and name.
pub(super) type Key = (ModuleId, String);

/// Index of a function in [`Index::functions`].
pub(super) type FunctionId = usize;

/// A method of a trait's implementation, with the type. A type of `None` stands for all types, or
/// for one outside the workspace.
pub(super) type Implementation = (Option<Key>, FunctionId);

/// A function or method.
pub(super) struct Function<'a> {
    pub(super) module: ModuleId,
    /// Type of `self` or, in a trait, the trait.
    pub(super) owner: Option<Key>,
    /// Module within which an inherent method is visible. `None` for other functions.
    pub(super) visible_in: Option<ModuleId>,
    pub(super) signature: &'a Signature,
    pub(super) body: Option<&'a Block>,
    /// Names that the body binds, which may hide parameters, with their values if there is one.
    pub(super) locals: BTreeMap<String, Option<&'a Expr>>,
    /// Generics of the function and of the `impl` block or trait around it.
    pub(super) generics: Vec<&'a Generics>,
}

/// A type whose definition is known.
pub(super) struct Definition<'a> {
    pub(super) fields: BTreeMap<String, &'a Type>,
    pub(super) generics: &'a Generics,
}

/// Everything that the code defines.
#[derive(Default)]
pub(super) struct Index<'a> {
    pub(super) functions: Vec<Function<'a>>,
    pub(super) free: BTreeMap<Key, FunctionId>,
    /// Methods of types, inherent ones and those of traits.
    pub(super) methods: BTreeMap<(Key, String), Vec<FunctionId>>,
    /// Declarations in traits.
    pub(super) declared: BTreeMap<(Key, String), FunctionId>,
    /// Implementations of the methods of traits.
    pub(super) implementations: BTreeMap<(Key, String), Vec<Implementation>>,
    pub(super) types: BTreeMap<Key, Definition<'a>>,
    pub(super) aliases: BTreeMap<Key, &'a Type>,
    pub(super) traits: BTreeMap<Key, &'a syn::ItemTrait>,
}

impl<'a> Index<'a> {
    pub(super) fn of(workspace: &'a Workspace) -> Self {
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
                self.free.insert((module, item.sig.ident.to_string()), id);
            }
            Item::Struct(item) => {
                let fields = named_fields(&item.fields);
                let definition = Definition { fields, generics: &item.generics };
                self.types.insert((module, item.ident.to_string()), definition);
            }
            Item::Enum(item) => {
                let fields = item.variants.iter().flat_map(|variant| named_fields(&variant.fields));
                let definition = Definition { fields: fields.collect(), generics: &item.generics };
                self.types.insert((module, item.ident.to_string()), definition);
            }
            Item::Type(item) => {
                self.aliases.insert((module, item.ident.to_string()), &item.ty);
            }
            Item::Trait(item) => self.add_trait(module, item),
            Item::Impl(item) => self.add_impl(workspace, module, item),
            _ => {}
        }
    }

    fn add_trait(&mut self, module: ModuleId, item: &'a syn::ItemTrait) {
        let key = (module, item.ident.to_string());
        for method in &item.items {
            let TraitItem::Fn(method) = method else { continue };
            let generics = vec![&item.generics, &method.sig.generics];
            let body = method.default.as_ref();
            let id = self.add_function(module, Some(key.clone()), &method.sig, body, generics);
            self.declared.insert((key.clone(), method.sig.ident.to_string()), id);
        }
        self.traits.insert(key, item);
    }

    fn add_impl(&mut self, workspace: &Workspace, module: ModuleId, item: &'a syn::ItemImpl) {
        let owner = match &*item.self_ty {
            Type::Path(path) => key_of(workspace, module, &path.path),
            _ => None,
        };
        let of = item.trait_.as_ref().map(|(_, path, _)| key_of(workspace, module, path));
        for method in &item.items {
            let ImplItem::Fn(method) = method else { continue };
            let name = method.sig.ident.to_string();
            let generics = vec![&item.generics, &method.sig.generics];
            let body = Some(&method.block);
            let id = self.add_function(module, owner.clone(), &method.sig, body, generics);
            if let Some(owner) = &owner {
                self.methods.entry((owner.clone(), name.clone())).or_default().push(id);
            }
            if of.is_none() {
                self.functions[id].visible_in = Some(scope_of(workspace, module, &method.vis));
            }
            if let Some(Some(of)) = &of {
                let all = self.implementations.entry((of.clone(), name)).or_default();
                all.push((owner.clone(), id));
            }
        }
    }

    fn add_function(
        &mut self,
        module: ModuleId,
        owner: Option<Key>,
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

/// Visitor of the names that a body binds.
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

/// Returns the module within which an item of `module` is visible.
fn scope_of(workspace: &Workspace, module: ModuleId, visibility: &Visibility) -> ModuleId {
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
pub(super) fn key_of(workspace: &Workspace, module: ModuleId, path: &syn::Path) -> Option<Key> {
    match workspace.resolve(module, &segments_of(path))? {
        Target::Item { module, path } if path.len() == 1 => Some((module, path[0].clone())),
        _ => None,
    }
}

fn named_fields(fields: &Fields) -> BTreeMap<String, &Type> {
    let name = |(index, field): (usize, &syn::Field)| match &field.ident {
        Some(name) => name.to_string(),
        None => index.to_string(),
    };
    fields.iter().enumerate().map(|(index, field)| (name((index, field)), &field.ty)).collect()
}
