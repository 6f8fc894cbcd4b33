//! Checks that the files of a crate do not import each other in a cycle. The check includes
//! integration tests, but not unit tests.
//!
//! A file *imports* another file if its code names an item that the other file defines.

mod components;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::paths::Paths;
use crate::source::{Target, Workspace, packages, references};

/// For each file, the files that it imports. The number is the line of the first import.
type FileImports = BTreeMap<PathBuf, BTreeMap<PathBuf, usize>>;

/// Returns the cycles of all crates, one text for each cycle.
pub(super) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for package in packages(paths)? {
        let workspace = Workspace::of_package_with_tests(&paths.root, package)?;
        violations.extend(cycles(&file_imports(&workspace)));
    }
    Ok(violations)
}

/// Returns the imports of each file.
///
/// An import leads to the file that defines the item, even if the code names a re-export. The file
/// with the re-export imports the defining file as well.
fn file_imports(workspace: &Workspace) -> FileImports {
    let mut imports = FileImports::new();
    for (id, module) in workspace.modules.iter().enumerate() {
        let paths = module.items.iter().flat_map(references);
        let referenced = paths
            .filter_map(|reference| Some((reference.line, workspace.resolve(id, &reference.path)?)))
            .chain(workspace.imports(id));
        let imported_files = imports.entry(module.file.clone()).or_default();
        for (line, target) in referenced {
            let Target::Item { module: defining_module, .. } = target else { continue };
            let imported_file = &workspace.modules[defining_module].file;
            if *imported_file != module.file {
                let first_line = imported_files.entry(imported_file.clone()).or_insert(line);
                *first_line = line.min(*first_line);
            }
        }
    }
    imports
}

/// Returns one text for each group of files that import each other in a cycle. The text lists the
/// imports in the group.
fn cycles(imports: &FileImports) -> Vec<String> {
    let files: Vec<&Path> = imports.keys().map(PathBuf::as_path).collect();
    let index_of = |path: &PathBuf| files.binary_search(&path.as_path()).ok();
    let edges: Vec<Vec<usize>> =
        imports.values().map(|targets| targets.keys().filter_map(index_of).collect()).collect();
    let mut cycles = Vec::new();
    for component in components::strongly_connected(&edges) {
        if component.len() < 2 {
            continue;
        }
        let mut text = format!("{} files import each other:", component.len());
        for importer in component.iter().map(|&node| files[node]) {
            for (imported, line) in &imports[importer] {
                if component.iter().any(|&node| files[node] == imported) {
                    text += "\n        ";
                    text += &format!("{}:{line} -> {}", importer.display(), imported.display());
                }
            }
        }
        cycles.push(text);
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the cycles of a crate `own` with these files, given by their paths and texts.
    fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        let mut workspace = Workspace::default();
        workspace.add_library("own", Path::new("lib.rs"), &read).unwrap();
        if read(Path::new("main.rs")).is_some() {
            workspace.add_program(Path::new("main.rs"), &read).unwrap();
        }
        cycles(&file_imports(&workspace))
    }

    #[test]
    fn files_that_import_only_lower_layers_have_no_cycle() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; fn f() { b::g(); }"),
            ("a.rs", "pub struct A;"),
            ("b.rs", "use crate::A; pub fn g() -> A { A }"),
        ];
        assert_eq!(cycles_of(&files), Vec::<String>::new());
    }

    #[test]
    fn cycle_through_a_reexport_names_the_defining_files() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::{B as Renamed};"),
            ("a.rs", "\nuse crate::Renamed; pub struct A(Renamed);"),
            ("b.rs", "use crate::{self as root, A}; pub struct B(Box<root::A>);"),
        ];
        let expected = "2 files import each other:\n        a.rs:2 -> b.rs\n        b.rs:1 -> a.rs";
        assert_eq!(cycles_of(&files), [expected]);
    }

    #[test]
    fn file_that_reexports_an_item_imports_the_defining_file() {
        let files = [
            ("lib.rs", "mod a; pub use a::A; pub struct Item;"),
            ("a.rs", "use crate::Item; pub struct A(Item);"),
        ];
        assert_eq!(cycles_of(&files).len(), 1);
    }

    #[test]
    fn cycle_through_super_is_found() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod child; pub struct Item; fn f() { child::g(); }"),
            ("a/child.rs", "pub fn g() { println!(\"{}\", super::Item::NAME); }"),
        ];
        let expected = "2 files import each other:\n        a/child.rs:1 -> a/mod.rs\n        a/mod.rs:1 -> a/child.rs";
        assert_eq!(cycles_of(&files), [expected]);
    }

    #[test]
    fn cycle_through_a_glob_is_found() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use super::b::*; pub fn f() { g(); }"),
            ("b.rs", "pub fn g() { super::a::f() }"),
        ];
        assert_eq!(cycles_of(&files).len(), 1);

        let reexported = [
            ("lib.rs", "mod a; mod b; pub use a::*; pub use b::*;"),
            ("a.rs", "pub fn f() { crate::g(); }"),
            ("b.rs", "pub fn g() { own::f() }"),
        ];
        let cycle = &cycles_of(&reexported)[0];
        assert!(cycle.contains("a.rs:1 -> b.rs") && cycle.contains("b.rs:1 -> a.rs"), "{cycle}");
    }

    #[test]
    fn cycle_between_a_program_and_its_modules_is_found() {
        let files = [
            ("lib.rs", ""),
            ("main.rs", "mod rules; fn helper() {} #[test] fn passes() { rules::check(); }"),
            ("rules.rs", "pub fn check() { super::helper(); }"),
        ];
        let expected = "2 files import each other:\n        main.rs:1 -> rules.rs\n        rules.rs:1 -> main.rs";
        assert_eq!(cycles_of(&files), [expected]);
    }

    #[test]
    fn unit_tests_and_mod_declarations_do_not_count_as_imports() {
        let files = [
            ("lib.rs", "pub mod a; pub struct Item; #[cfg(test)] mod tests { use crate::a::f; }"),
            ("a.rs", "use crate::Item; pub fn f(_: Item) {} #[cfg(test)] mod tests;"),
            ("main.rs", "mod b; fn main() { own::a::f(own::Item); }"),
            ("b.rs", "use own::Item;"),
        ];
        assert_eq!(cycles_of(&files), Vec::<String>::new());
    }
}
