//! Determines which methods the code of a module can call.
//!
//! For a call on a value of an unknown type, the call graph considers only the methods that the
//! calling module can call:
//!
//! - the methods of the traits that the module names,
//! - the *inherent* methods (methods of a type, not of a trait) that are visible to the module,
//! - the operations of the AWS services whose SDK its crate names.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Function, Index, ItemKey};
use crate::source::{ModuleId, Target, Workspace, references, references_in_trait};

/// Traits, crates and AWS services that each module can use.
pub(super) struct Visible {
    /// Traits that each module names, and the traits that their definitions name.
    traits: Vec<BTreeSet<ItemKey>>,
    /// Crates that each crate uses. A crate is identified by its root module.
    crates: BTreeMap<ModuleId, BTreeSet<ModuleId>>,
    /// AWS services whose SDK each crate names, such as `kms`.
    services: BTreeMap<ModuleId, BTreeSet<String>>,
}

impl Visible {
    pub(super) fn of_workspace(workspace: &Workspace, index: &Index<'_>) -> Self {
        let mut visible =
            Self { traits: Vec::new(), crates: BTreeMap::new(), services: BTreeMap::new() };
        for (id, module) in workspace.modules.iter().enumerate() {
            let paths: Vec<_> =
                module.items.iter().flat_map(references).map(|reference| reference.path).collect();
            let services = paths.iter().filter_map(|path| {
                let full_path = workspace.foreign_path(id, path);
                Some(full_path.first()?.strip_prefix("aws_sdk_")?.to_owned())
            });
            visible.services.entry(module.crate_root()).or_default().extend(services);
            let named = paths.iter().filter_map(|path| workspace.resolve(id, path));
            let targets: Vec<_> =
                named.chain(workspace.imports(id).map(|(_, target)| target)).collect();
            let used = targets.iter().map(|target| match target {
                Target::Module(module) | Target::Item { module, .. } => {
                    workspace.modules[*module].crate_root()
                }
            });
            visible.crates.entry(module.crate_root()).or_default().extend(used);
            let items = targets.into_iter().filter_map(item_key).collect();
            visible.traits.push(with_named_traits(workspace, index, items));
        }
        visible
    }

    /// Returns whether a module can call the methods of a trait.
    pub(super) fn has_trait(&self, module: ModuleId, key: &ItemKey) -> bool {
        self.traits[module].contains(key)
    }

    /// Returns the AWS services whose SDK the crate of a module names.
    pub(super) fn services(&self, workspace: &Workspace, module: ModuleId) -> &BTreeSet<String> {
        &self.services[&workspace.modules[module].crate_root()]
    }

    /// Returns whether a module can call an inherent method. The module must be inside the scope in
    /// which the method is visible. If this scope is a whole crate, the method may be public, so
    /// the crates that use the crate can call it too.
    pub(super) fn has_method(
        &self,
        workspace: &Workspace,
        module: ModuleId,
        method: &Function<'_>,
    ) -> bool {
        method.visible_in.is_some_and(|scope| {
            let owner_crate = workspace.modules[scope].crate_root();
            let is_whole_crate = scope == owner_crate;
            workspace.is_within(module, scope)
                || (is_whole_crate
                    && self.uses(workspace.modules[module].crate_root(), owner_crate))
        })
    }

    /// Returns whether the crate `user` uses the crate `used`, directly or through further crates.
    fn uses(&self, user: ModuleId, used: ModuleId) -> bool {
        let mut reached = BTreeSet::new();
        let mut to_visit = vec![user];
        while let Some(next) = to_visit.pop() {
            if reached.insert(next) {
                to_visit.extend(self.crates.get(&next).into_iter().flatten());
            }
        }
        reached.contains(&used)
    }
}

/// Returns the traits among the items, and the traits that their definitions name as supertraits or
/// bounds.
fn with_named_traits(
    workspace: &Workspace,
    index: &Index<'_>,
    items: Vec<ItemKey>,
) -> BTreeSet<ItemKey> {
    let mut to_visit = items;
    let mut traits = BTreeSet::new();
    while let Some(key) = to_visit.pop() {
        let Some(item) = index.traits.get(&key) else { continue };
        if traits.insert(key.clone()) {
            let paths = references_in_trait(item).into_iter();
            let named =
                paths.filter_map(|reference| workspace.resolve(key.module, &reference.path));
            to_visit.extend(named.filter_map(item_key));
        }
    }
    traits
}

/// Returns the key of the item that a path leads to. Returns `None` for a module.
fn item_key(target: Target) -> Option<ItemKey> {
    match target {
        Target::Item { module, path } => Some(ItemKey { module, name: path.first()?.clone() }),
        Target::Module(_) => None,
    }
}
