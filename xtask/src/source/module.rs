//! The module tree of the workspace: for each module, its items, child modules and imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Position of a module in [`Workspace::modules`].
pub(crate) type ModuleId = usize;

/// Parsed modules of several crates. Code under `#[cfg(test)]` is omitted.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) modules: Vec<Module>,
    /// Root module of each library, by the name that paths use: `docferry_app`.
    pub(super) libraries: BTreeMap<String, ModuleId>,
    /// Root modules of the programs, by file.
    pub(super) programs: BTreeMap<PathBuf, ModuleId>,
}

/// A module, which is a file or a block `mod name { … }` in a file.
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    /// Root module of the module's crate.
    pub(super) crate_root: ModuleId,
    pub(super) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// Names of the items that the module defines, without its child modules.
    pub(super) definitions: BTreeSet<String>,
    /// Whether the module calls a macro outside of functions. The macro may define items whose
    /// names are unknown.
    pub(super) has_unexpanded_macro: bool,
    pub(super) imports: Vec<Import>,
    /// Items without `use` declarations and without child modules.
    pub(crate) items: Vec<syn::Item>,
}

/// One name that a `use` declaration brings into scope.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// Name in scope. `None` for a glob import.
    pub(super) name: Option<String>,
    pub(super) line: usize,
}

/// Module or item that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item of a module. The first name in `path` is the item. Further names are inside the
    /// item, such as a variant or an associated function.
    Item {
        module: ModuleId,
        path: Vec<String>,
    },
}

impl Workspace {
    /// Returns the root module of the program whose `main` is in this file.
    pub(crate) fn program(&self, file: &Path) -> Option<ModuleId> {
        self.programs.get(file).copied()
    }

    /// Returns whether a module is `ancestor` or inside it.
    pub(crate) fn is_within(&self, module: ModuleId, ancestor: ModuleId) -> bool {
        let parent = |id: &ModuleId| self.modules[*id].parent;
        std::iter::successors(Some(module), parent).any(|id| id == ancestor)
    }
}

impl Module {
    /// Returns the root module of the module's crate.
    pub(crate) fn crate_root(&self) -> ModuleId {
        self.crate_root
    }
}
