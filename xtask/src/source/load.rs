//! Reads the modules of crates into a [`Workspace`], following the `mod` declarations.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use proc_macro2::Span;
use syn::{Item, UseTree};

use super::members::Package;
use super::module::{Import, Module, ModuleId, Workspace};
use super::walk::{self, is_test_only};

/// Function that returns the text of a file, or `None` if there is no such file.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Workspace {
    /// Reads the libraries and programs of packages. `root` is the folder of the project.
    pub(crate) fn of_packages(root: &Path, packages: &[Package]) -> Result<Self> {
        let mut workspace = Self::default();
        let read = |path: &Path| fs::read_to_string(root.join(path)).ok();
        for package in packages {
            let src = package.folder.join("src");
            if root.join(&src).join("lib.rs").exists() {
                workspace.add_library(&package.library, &src.join("lib.rs"), &read)?;
            }
            for main in programs(root, &src) {
                workspace.add_program(&main, &read)?;
            }
        }
        Ok(workspace)
    }

    /// Adds the library with this name and root file.
    pub(crate) fn add_library(&mut self, name: &str, file: &Path, read: ReadFile) -> Result<()> {
        let crate_root = self.add_crate(file, read)?;
        self.libraries.insert(name.to_owned(), crate_root);
        Ok(())
    }

    /// Adds the program with this root file.
    pub(crate) fn add_program(&mut self, file: &Path, read: ReadFile) -> Result<()> {
        let crate_root = self.add_crate(file, read)?;
        self.programs.insert(file.to_owned(), crate_root);
        Ok(())
    }

    /// Adds the root module of a crate with all modules below it.
    fn add_crate(&mut self, file: &Path, read: ReadFile) -> Result<ModuleId> {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let items = parse(file, read)?;
        self.add_module(None, file, &folder, items, read)
    }

    /// Adds a module with all modules below it. `folder` is where the files of its child modules
    /// are.
    fn add_module(
        &mut self,
        parent: Option<ModuleId>,
        file: &Path,
        folder: &Path,
        items: Vec<Item>,
        read: ReadFile,
    ) -> Result<ModuleId> {
        let id = self.modules.len();
        let crate_root = parent.map_or(id, |parent| self.modules[parent].crate_root);
        self.modules.push(Module::empty(file, crate_root, parent));
        for item in items.into_iter().filter(|item| !is_test_only(walk::attributes(item))) {
            let Item::Mod(child) = item else {
                self.modules[id].add(item);
                continue;
            };
            let name = child.ident.to_string();
            let child_folder = folder.join(&name);
            let child = if let Some((_, items)) = child.content {
                self.add_module(Some(id), file, &child_folder, items, read)?
            } else {
                let candidates = [folder.join(format!("{name}.rs")), child_folder.join("mod.rs")];
                let Some(file) = candidates.iter().find(|path| read(path).is_some()) else {
                    bail!("{}: the module {name} has no file", file.display());
                };
                self.add_module(Some(id), file, &child_folder, parse(file, read)?, read)?
            };
            self.modules[id].children.insert(name, child);
        }
        Ok(id)
    }
}

impl Module {
    fn empty(file: &Path, crate_root: ModuleId, parent: Option<ModuleId>) -> Self {
        Self {
            file: file.to_owned(),
            crate_root,
            parent,
            children: Default::default(),
            definitions: Default::default(),
            has_unexpanded_macro: false,
            imports: Vec::new(),
            items: Vec::new(),
        }
    }

    fn add(&mut self, item: Item) {
        // A `use` declaration inside a function counts as a declaration of the module.
        walk::for_each_use(&item, &mut |declaration| {
            add_imports(&mut self.imports, Vec::new(), &declaration.tree);
        });
        self.has_unexpanded_macro |= matches!(&item, Item::Macro(item) if item.ident.is_none());
        self.definitions.extend(walk::defined_name(&item));
        if !matches!(item, Item::Use(_)) {
            self.items.push(item);
        }
    }
}

/// Adds the imports of a `use` declaration. `path` is the part of the path before `tree`.
fn add_imports(found: &mut Vec<Import>, path: Vec<String>, tree: &UseTree) {
    let path_with = |name: &syn::Ident| {
        let mut path = path.clone();
        // `a::{self}` imports `a`.
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    let mut add = |path: Vec<String>, name: Option<String>, span: Span| {
        found.push(Import { path, name, line: span.start().line });
    };
    match tree {
        UseTree::Path(tree) => add_imports(found, path_with(&tree.ident), &tree.tree),
        UseTree::Name(tree) => {
            let path = path_with(&tree.ident);
            let name = path.last().cloned();
            add(path, name, tree.ident.span());
        }
        UseTree::Rename(tree) => {
            add(path_with(&tree.ident), Some(tree.rename.to_string()), tree.ident.span());
        }
        UseTree::Glob(tree) => add(path, None, tree.star_token.span),
        UseTree::Group(group) => {
            for tree in &group.items {
                add_imports(found, path.clone(), tree);
            }
        }
    }
}

fn parse(file: &Path, read: ReadFile) -> Result<Vec<Item>> {
    let text = read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("{}", file.display()))?;
    Ok(parsed.items)
}

/// Returns the files with the `main` functions of a package. `root` is the folder of the project.
fn programs(root: &Path, src: &Path) -> Vec<PathBuf> {
    let bin = src.join("bin");
    let mut found = vec![src.join("main.rs")];
    for entry in fs::read_dir(root.join(&bin)).into_iter().flatten().flatten() {
        let path = bin.join(entry.file_name());
        found.push(if path.extension().is_some() { path } else { path.join("main.rs") });
    }
    found.retain(|file| root.join(file).exists());
    found
}
