//! Resolves a path in the code, such as `super::x::f`, to the module that defines the named item.
//!
//! The resolution follows imports and re-exports through all crates of the workspace.

use super::module::{Import, ModuleId, Target, Workspace};

/// Longest chain of imports that is followed. The limit ends the search in imports that form a
/// cycle.
const MAX_CHAIN: usize = 16;

impl Workspace {
    /// Returns the item or module that a path in a module names. Returns `None` if the item is
    /// defined outside the workspace.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Option<Target> {
        self.resolve_path(module, path, MAX_CHAIN)
    }

    /// Resolves a path. `remaining` is the number of imports that may still be followed.
    fn resolve_path(&self, from: ModuleId, path: &[String], remaining: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        let start = match first.as_str() {
            "crate" => Target::Module(module.crate_root),
            "self" => Target::Module(from),
            "super" => Target::Module(module.parent?),
            name => match self.lookup(from, name, rest.is_empty(), remaining) {
                Some(target) => target,
                None => Target::Module(*self.libraries.get(name)?),
            },
        };
        self.descend(start, rest, remaining)
    }

    /// Follows the names in `rest`, beginning at `start`.
    fn descend(&self, start: Target, rest: &[String], remaining: usize) -> Option<Target> {
        match (start, rest) {
            (target, []) => Some(target),
            (Target::Module(module), [name, rest @ ..]) => {
                let next = match name.as_str() {
                    "super" => Target::Module(self.modules[module].parent?),
                    name => {
                        self.lookup(module, name, rest.is_empty(), remaining).or_else(|| {
                            // A macro call outside of functions may define the name.
                            let item = || Target::Item { module, path: vec![name.to_owned()] };
                            self.modules[module].has_unexpanded_macro.then(item)
                        })?
                    }
                };
                self.descend(next, rest, remaining)
            }
            (Target::Item { module, mut path }, rest) => {
                path.extend_from_slice(rest);
                Some(Target::Item { module, path })
            }
        }
    }

    /// Looks up a name in a module.
    ///
    /// A module may contain an item and a child module with the same name. The last name of a path
    /// then means the item, and any other name of a path means the child module.
    fn lookup(&self, id: ModuleId, name: &str, is_last: bool, remaining: usize) -> Option<Target> {
        let module = &self.modules[id];
        let remaining = remaining.checked_sub(1)?;
        let child = || module.children.get(name).copied().map(Target::Module);
        let item = || {
            let target = || Target::Item { module: id, path: vec![name.to_owned()] };
            module.definitions.contains(name).then(target)
        };
        let imported = || {
            let named = module.imports.iter().filter(|import| import.name.as_deref() == Some(name));
            named.filter_map(|import| self.resolve_import(id, import, remaining)).next()
        };
        let found = if is_last {
            item().or_else(imported).or_else(child)
        } else {
            child().or_else(item).or_else(imported)
        };
        found.or_else(|| self.lookup_in_globs(id, name, is_last, remaining))
    }

    fn resolve_import(&self, id: ModuleId, import: &Import, remaining: usize) -> Option<Target> {
        // In `use name::name`, the first name is a child module or a crate, not the imported item.
        let (first, rest) = import.path.split_first()?;
        if import.name.as_ref() == Some(first) && !is_keyword(first) {
            let child = self.modules[id].children.get(first);
            let start = *child.or_else(|| self.libraries.get(first))?;
            return self.descend(Target::Module(start), rest, remaining);
        }
        self.resolve_path(id, &import.path, remaining)
    }

    fn lookup_in_globs(
        &self,
        id: ModuleId,
        name: &str,
        is_last: bool,
        remaining: usize,
    ) -> Option<Target> {
        let globs = self.modules[id].imports.iter().filter(|import| import.name.is_none());
        globs.filter_map(|import| self.resolve_path(id, &import.path, remaining)).find_map(
            |target| match target {
                Target::Module(module) if module != id => {
                    self.lookup(module, name, is_last, remaining)
                }
                _ => None,
            },
        )
    }

    /// Returns the full path of an item that is defined outside the workspace. The full path has
    /// the paths of imports in place of imported names.
    pub(crate) fn foreign_path(&self, module: ModuleId, path: &[String]) -> Vec<String> {
        self.foreign_path_within(module, path, MAX_CHAIN)
    }

    fn foreign_path_within(
        &self,
        module: ModuleId,
        path: &[String],
        remaining: usize,
    ) -> Vec<String> {
        let Some(remaining) = remaining.checked_sub(1) else { return path.to_vec() };
        let imports = &self.modules[module].imports;
        let import = imports.iter().find(|import| import.name.as_ref() == path.first());
        if let Some(import) = import
            && import.path.first() != path.first()
        {
            let full = [&import.path, path.get(1..).unwrap_or_default()].concat();
            return self.foreign_path_within(module, &full, remaining);
        }
        // The path may be `super::Name`, and the parent module imports `Name`.
        for length in (1..path.len()).rev() {
            if let Some(Target::Module(inner)) = self.resolve(module, &path[..length]) {
                return self.foreign_path_within(inner, &path[length..], remaining);
            }
        }
        path.to_vec()
    }

    /// Returns the items that a module imports or re-exports, with the lines of the imports.
    pub(crate) fn imports(&self, id: ModuleId) -> impl Iterator<Item = (usize, Target)> + '_ {
        self.modules[id].imports.iter().filter_map(move |import| {
            let target = self.resolve_import(id, import, MAX_CHAIN)?;
            let is_glob = import.name.is_none();
            // A glob import of a module uses the items of the module, so it counts as an import of
            // an item. A named import of a module does not use its items.
            match target {
                Target::Module(module) if is_glob => {
                    Some((import.line, Target::Item { module, path: Vec::new() }))
                }
                target => Some((import.line, target)),
            }
        })
    }
}

/// Returns whether a name is a keyword at the beginning of a path.
fn is_keyword(name: &str) -> bool {
    ["crate", "self", "super"].contains(&name)
}
