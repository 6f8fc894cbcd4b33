//! Reads the modules of crates into a [`Workspace`].
//!
//! The reader starts with the root file of a crate. Each `mod` declaration leads to the file of a
//! child module, as in the compiler.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::slice;

use anyhow::{Context as _, Result};
use proc_macro2::Span;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, UseTree};

use super::members::{Kind, Package};
use super::module::{Import, Module, ModuleId, Workspace};
use super::walk::{self, is_test_only};

/// Function that returns the text of a file, or `None` if there is no such file.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Workspace {
    /// Reads the libraries and programs of packages, without their integration tests. `root` is the
    /// folder of the project.
    pub(crate) fn of_packages(root: &Path, packages: &[Package]) -> Result<Self> {
        let mut workspace = Self::default();
        let read = |path: &Path| fs::read_to_string(root.join(path)).ok();
        for package in packages {
            for target in &package.targets {
                match target.kind {
                    Kind::Library => {
                        workspace.add_library(&package.library, &target.file, &read)?;
                    }
                    Kind::Program => workspace.add_program(&target.file, &read)?,
                    Kind::TestProgram => {}
                }
            }
        }
        Ok(workspace)
    }

    /// Reads the library and all programs of one package, with its integration tests.
    pub(crate) fn of_package_with_tests(root: &Path, package: Package) -> Result<Self> {
        let mut workspace = Self::of_packages(root, slice::from_ref(&package))?;
        let read = |path: &Path| fs::read_to_string(root.join(path)).ok();
        for target in package.targets.iter().filter(|target| target.kind == Kind::TestProgram) {
            workspace.add_program(&target.file, &read)?;
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
        let child_folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let items = parse_file(file, read)?;
        self.add_module(None, file, &child_folder, items, read)
    }

    /// Adds a module with all modules below it. `child_folder` is the folder that contains the
    /// files of the child modules.
    fn add_module(
        &mut self,
        parent: Option<ModuleId>,
        file: &Path,
        child_folder: &Path,
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
            let child_id = if let Some((_, items)) = child.content {
                // The declaration is a block `mod name { … }`.
                self.add_module(Some(id), file, &child_folder.join(&name), items, read)?
            } else {
                let ModuleFile { file, child_folder } = find_file(&child, file, child_folder, read)
                    .with_context(|| {
                        format!("{}: the module {name} has no file", file.display())
                    })?;
                let items = parse_file(&file, read)?;
                self.add_module(Some(id), &file, &child_folder, items, read)?
            };
            self.modules[id].children.insert(name, child_id);
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

/// Adds the imports of a `use` declaration to `imports`. `path` has the names before `tree`: for
/// `use a::{b, c}`, it is `a` when `tree` is `b`.
fn add_imports(imports: &mut Vec<Import>, path: Vec<String>, tree: &UseTree) {
    let path_with = |name: &syn::Ident| {
        let mut path = path.clone();
        // `a::{self}` imports `a`.
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    let mut add = |path: Vec<String>, name: Option<String>, span: Span| {
        imports.push(Import { path, name, line: span.start().line });
    };
    match tree {
        UseTree::Path(tree) => add_imports(imports, path_with(&tree.ident), &tree.tree),
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
                add_imports(imports, path.clone(), tree);
            }
        }
    }
}

fn parse_file(file: &Path, read: ReadFile) -> Result<Vec<Item>> {
    let text = read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("{}", file.display()))?;
    Ok(parsed.items)
}

/// File of a module.
struct ModuleFile {
    file: PathBuf,
    /// Folder that contains the files of the child modules.
    child_folder: PathBuf,
}

/// Finds the file of the module `declared` in the file `declaring_file`. `folder` is the folder
/// that contains the files of the modules that this file declares.
fn find_file(
    declared: &ItemMod,
    declaring_file: &Path,
    folder: &Path,
    read: ReadFile,
) -> Option<ModuleFile> {
    if let Some(path) = declared.attrs.iter().find_map(path_attribute) {
        let file = join_normalized(declaring_file.parent()?, Path::new(&path));
        let child_folder = file.parent()?.to_owned();
        return Some(ModuleFile { file, child_folder });
    }
    let name = declared.ident.to_string();
    let child_folder = folder.join(&name);
    let candidates = [folder.join(format!("{name}.rs")), child_folder.join("mod.rs")];
    let file = candidates.into_iter().find(|path| read(path).is_some())?;
    Some(ModuleFile { file, child_folder })
}

/// Returns the path in an attribute `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(attribute) = &attribute.meta else { return None };
    match &attribute.value {
        Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) if attribute.path.is_ident("path") => {
            Some(path.value())
        }
        _ => None,
    }
}

/// Joins paths and resolves `..`, so that a file always has the same path.
fn join_normalized(folder: &Path, path: &Path) -> PathBuf {
    let mut joined = folder.to_owned();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                joined.pop();
            }
            other => joined.push(other),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_with_a_path_attribute_are_read_from_that_path() {
        let files = [
            ("tests/a/main.rs", "#[path = \"../common/mod.rs\"] mod common; mod own;"),
            ("tests/common/mod.rs", "mod inner;"),
            ("tests/common/inner.rs", ""),
            ("tests/a/own.rs", "mod deep;"),
            ("tests/a/own/deep.rs", ""),
        ];
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        let mut workspace = Workspace::default();
        workspace.add_program(Path::new("tests/a/main.rs"), &read).unwrap();
        let mut read_files: Vec<_> = workspace.modules.iter().map(|module| &module.file).collect();
        read_files.sort();
        let mut expected = files.map(|(name, _)| Path::new(name));
        expected.sort();
        assert_eq!(read_files, expected);
    }

    #[test]
    fn missing_file_of_a_module_is_an_error() {
        let read = |path: &Path| (path == Path::new("lib.rs")).then(|| "mod absent;".to_owned());
        let error = Workspace::default().add_library("own", Path::new("lib.rs"), &read);
        assert_eq!(error.unwrap_err().to_string(), "lib.rs: the module absent has no file");
    }
}
