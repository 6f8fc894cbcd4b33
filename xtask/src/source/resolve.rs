//! Resolves paths to the modules that define what they name.

use super::module::{Import, ModuleId, Target, Workspace};

/// Longest chain of re-exports that is followed. Names that import each other end here.
const MAX_CHAIN: usize = 16;

impl Workspace {
    /// Returns what a path in a module names. `None` if it is defined outside the workspace.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Option<Target> {
        self.resolve_path(module, path, MAX_CHAIN)
    }

    fn resolve_path(&self, from: ModuleId, path: &[String], chain: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        let start = match first.as_str() {
            "crate" => Target::Module(module.root),
            "self" => Target::Module(from),
            "super" => Target::Module(module.parent?),
            name => match self.lookup(from, name, rest.is_empty(), chain) {
                Some(target) => target,
                None => Target::Module(*self.libraries.get(name)?),
            },
        };
        self.descend(start, rest, chain)
    }

    /// Descends along the remaining names of a path.
    fn descend(&self, start: Target, rest: &[String], chain: usize) -> Option<Target> {
        match (start, rest) {
            (target, []) => Some(target),
            (Target::Module(module), [name, rest @ ..]) => {
                let next = match name.as_str() {
                    "super" => Target::Module(self.modules[module].parent?),
                    name => self.lookup(module, name, rest.is_empty(), chain).or_else(|| {
                        // An item-level macro may define the name.
                        let item = || Target::Item { module, path: vec![name.to_owned()] };
                        self.modules[module].has_item_macro.then(item)
                    })?,
                };
                self.descend(next, rest, chain)
            }
            (Target::Item { module, mut path }, rest) => {
                path.extend_from_slice(rest);
                Some(Target::Item { module, path })
            }
        }
    }

    /// Looks a name up in a module. The last name of a path is an item rather than a module of the
    /// same name, and an earlier one a module rather than an item.
    fn lookup(&self, id: ModuleId, name: &str, is_last: bool, chain: usize) -> Option<Target> {
        let module = &self.modules[id];
        let chain = chain.checked_sub(1)?;
        let child = || module.children.get(name).copied().map(Target::Module);
        let item = || {
            let item = || Target::Item { module: id, path: vec![name.to_owned()] };
            module.definitions.contains(name).then(item)
        };
        let imported = || {
            let named = module.imports.iter().filter(|import| import.name.as_deref() == Some(name));
            named.filter_map(|import| self.resolve_import(id, import, chain)).next()
        };
        let found = if is_last {
            item().or_else(imported).or_else(child)
        } else {
            child().or_else(item).or_else(imported)
        };
        found.or_else(|| self.lookup_in_globs(id, name, is_last, chain))
    }

    fn resolve_import(&self, id: ModuleId, import: &Import, chain: usize) -> Option<Target> {
        // `use name::name` does not import itself: its first name is a child module or a crate.
        let (first, rest) = import.path.split_first()?;
        if import.name.as_ref() == Some(first) && !is_keyword(first) {
            let child = self.modules[id].children.get(first);
            let start = *child.or_else(|| self.libraries.get(first))?;
            return self.descend(Target::Module(start), rest, chain);
        }
        self.resolve_path(id, &import.path, chain)
    }

    fn lookup_in_globs(
        &self,
        id: ModuleId,
        name: &str,
        is_last: bool,
        chain: usize,
    ) -> Option<Target> {
        let globs = self.modules[id].imports.iter().filter(|import| import.name.is_none());
        globs.filter_map(|import| self.resolve_path(id, &import.path, chain)).find_map(|target| {
            match target {
                Target::Module(module) if module != id => self.lookup(module, name, is_last, chain),
                _ => None,
            }
        })
    }

    /// Returns the full path of an item that is defined outside the workspace: the path with the
    /// names replaced that modules import.
    pub(crate) fn foreign_path(&self, module: ModuleId, path: &[String]) -> Vec<String> {
        self.foreign_path_within(module, path, MAX_CHAIN)
    }

    fn foreign_path_within(&self, module: ModuleId, path: &[String], chain: usize) -> Vec<String> {
        let Some(chain) = chain.checked_sub(1) else { return path.to_vec() };
        let imports = &self.modules[module].imports;
        let import = imports.iter().find(|import| import.name.as_ref() == path.first());
        if let Some(import) = import
            && import.path.first() != path.first()
        {
            let full = [&import.path, path.get(1..).unwrap_or_default()].concat();
            return self.foreign_path_within(module, &full, chain);
        }
        // `super::Name`, where the parent imports the name
        for length in (1..path.len()).rev() {
            if let Some(Target::Module(inner)) = self.resolve(module, &path[..length]) {
                return self.foreign_path_within(inner, &path[length..], chain);
            }
        }
        path.to_vec()
    }

    /// Returns the imports of a module, re-exports included, with their lines.
    pub(crate) fn imports(&self, id: ModuleId) -> impl Iterator<Item = (usize, Target)> + '_ {
        self.modules[id].imports.iter().filter_map(move |import| {
            let target = self.resolve_import(id, import, MAX_CHAIN)?;
            let is_glob = import.name.is_none();
            // A glob uses the module itself; the import of a module only gives it a name.
            match target {
                Target::Module(module) if is_glob => {
                    Some((import.line, Target::Item { module, path: Vec::new() }))
                }
                target => Some((import.line, target)),
            }
        })
    }
}

fn is_keyword(name: &str) -> bool {
    ["crate", "self", "super"].contains(&name)
}
