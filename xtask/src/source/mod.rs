//! Source code of the workspace as trees of modules, with names resolved to their definitions.

mod load;
mod members;
mod resolve;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(crate) use members::packages;
pub(crate) use resolve::Target;
pub(crate) use walk::references;

/// Index of a module in [`Workspace::modules`].
pub(crate) type ModuleId = usize;

/// Modules of several crates. Code that is compiled for tests only is left out.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) modules: Vec<Module>,
    /// Root module of each library, by the name that paths use: `docferry_app`.
    libraries: BTreeMap<String, ModuleId>,
    /// Root modules of the programs, by file.
    programs: BTreeMap<PathBuf, ModuleId>,
}

/// A module: a file, or a block `mod name { … }` in one.
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    /// Root of the module's crate.
    root: ModuleId,
    parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// Names of the items that the module defines, without its child modules.
    definitions: BTreeSet<String>,
    /// Whether a macro may define items whose names are unknown.
    has_item_macro: bool,
    imports: Vec<Import>,
    /// Items without `use` declarations and without child modules.
    pub(crate) items: Vec<syn::Item>,
}

/// One name that a `use` declaration brings into scope.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// Name in scope; `None` for a glob.
    name: Option<String>,
    line: usize,
}

impl Workspace {
    /// Returns the root module of the program whose `main` is in this file.
    pub(crate) fn program(&self, file: &std::path::Path) -> Option<ModuleId> {
        self.programs.get(file).copied()
    }
}
