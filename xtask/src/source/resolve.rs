//! Resolves a path in the code, such as `super::x::f`, to the module that defines the named item.
//!
//! The resolution follows imports and re-exports through all crates of the workspace. An *import*
//! is one name of a `use` declaration. A *glob import* is `use module::*`. An item is *foreign* if
//! a crate outside the workspace defines it.

use super::module::{Import, ModuleId, Target, Workspace};

/// Maximum length of a chain of imports, each of which leads to the next. The limit ends the search
/// if the imports form a cycle.
const MAX_CHAIN: usize = 16;

/// Position of a name in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Last,
    BeforeLast,
}

impl Position {
    /// Returns the position of the name that stands directly before these names.
    fn before(later_names: &[String]) -> Self {
        if later_names.is_empty() { Self::Last } else { Self::BeforeLast }
    }
}

impl Workspace {
    /// Returns the item or module that a path in a module names. Returns `None` if the item is
    /// defined outside the workspace.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Option<Target> {
        self.resolve_path(module, path, MAX_CHAIN)
    }

    /// Resolves a path. `remaining` is the number of imports that may still be followed.
    fn resolve_path(&self, from: ModuleId, path: &[String], remaining: usize) -> Option<Target> {
        let (first, later_names) = path.split_first()?;
        let module = &self.modules[from];
        let start = match first.as_str() {
            "crate" => Target::Module(module.crate_root),
            "self" => Target::Module(from),
            "super" => Target::Module(module.parent?),
            name => match self.lookup(from, name, Position::before(later_names), remaining) {
                Some(target) => target,
                None => Target::Module(*self.libraries.get(name)?),
            },
        };
        self.descend(start, later_names, remaining)
    }

    /// Looks up each of the `names` in the target of the name before it, beginning with `start`.
    fn descend(&self, start: Target, names: &[String], remaining: usize) -> Option<Target> {
        match (start, names) {
            (target, []) => Some(target),
            (Target::Module(module), [name, later_names @ ..]) => {
                let next = match name.as_str() {
                    "super" => Target::Module(self.modules[module].parent?),
                    name => {
                        let position = Position::before(later_names);
                        self.lookup(module, name, position, remaining).or_else(|| {
                            // A macro call outside of functions may define the name.
                            let item = || Target::Item { module, path: vec![name.to_owned()] };
                            self.modules[module].has_unexpanded_macro.then(item)
                        })?
                    }
                };
                self.descend(next, later_names, remaining)
            }
            (Target::Item { module, mut path }, names) => {
                path.extend_from_slice(names);
                Some(Target::Item { module, path })
            }
        }
    }

    /// Looks up a name in a module.
    ///
    /// A module may contain an item and a child module with the same name. The last name of a path
    /// then means the item, and any other name of a path means the child module.
    fn lookup(
        &self,
        id: ModuleId,
        name: &str,
        position: Position,
        remaining: usize,
    ) -> Option<Target> {
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
        let target = match position {
            Position::Last => item().or_else(imported).or_else(child),
            Position::BeforeLast => child().or_else(item).or_else(imported),
        };
        target.or_else(|| self.lookup_in_globs(id, name, position, remaining))
    }

    /// Returns the target of an import of the module `id`.
    fn resolve_import(&self, id: ModuleId, import: &Import, remaining: usize) -> Option<Target> {
        // In `use name::name`, the first name is a child module or a crate, not the imported item.
        let (first, later_names) = import.path.split_first()?;
        if import.name.as_ref() == Some(first) && !is_keyword(first) {
            let child = self.modules[id].children.get(first);
            let start = *child.or_else(|| self.libraries.get(first))?;
            return self.descend(Target::Module(start), later_names, remaining);
        }
        self.resolve_path(id, &import.path, remaining)
    }

    /// Looks up a name in the modules that a module imports with `*`.
    fn lookup_in_globs(
        &self,
        id: ModuleId,
        name: &str,
        position: Position,
        remaining: usize,
    ) -> Option<Target> {
        let globs = self.modules[id].imports.iter().filter(|import| import.name.is_none());
        globs.filter_map(|import| self.resolve_path(id, &import.path, remaining)).find_map(
            |target| match target {
                Target::Module(module) if module != id => {
                    self.lookup(module, name, position, remaining)
                }
                _ => None,
            },
        )
    }

    /// Returns the full path of a foreign item: each imported name in `path` is replaced by the
    /// path of its import. After `use aws_sdk_s3::Client`, the full path of `Client` is
    /// `aws_sdk_s3::Client`.
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
        // The path may name an import of another module of the workspace, such as `super::Name`.
        for length in (1..path.len()).rev() {
            if let Some(Target::Module(inner)) = self.resolve(module, &path[..length]) {
                return self.foreign_path_within(inner, &path[length..], remaining);
            }
        }
        path.to_vec()
    }

    /// Returns the items that a module imports or re-exports, each after the line of its import.
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
