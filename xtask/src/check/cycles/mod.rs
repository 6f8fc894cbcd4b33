//! Checks that the files of each crate import each other without cycles.

mod components;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::paths::Paths;
use crate::source::{Target, Workspace, packages, references};

/// Files that each file imports, with the first line that does.
type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, usize>>;

/// Returns the cycles of all crates, one text each.
pub(super) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in packages(&paths.root)? {
        let workspace = Workspace::of_packages(&paths.root, &[package])?;
        found.extend(cycles(&imports(&workspace)));
    }
    Ok(found)
}

/// Returns which files import which. A file that uses a re-exported item imports the file that
/// defines it, not the one that re-exports it; the latter imports it as well.
fn imports(workspace: &Workspace) -> Imports {
    let mut imports = Imports::new();
    for (id, module) in workspace.modules.iter().enumerate() {
        let paths = module.items.iter().flat_map(references);
        let referenced = paths
            .filter_map(|found| Some((found.line, workspace.resolve(id, &found.path)?)))
            .chain(workspace.imports(id));
        let from = imports.entry(module.file.clone()).or_default();
        for (line, target) in referenced {
            let Target::Item { module: target, .. } = target else { continue };
            let target = &workspace.modules[target].file;
            if *target != module.file {
                let first = from.entry(target.clone()).or_insert(line);
                *first = line.min(*first);
            }
        }
    }
    imports
}

/// Returns each group of files that import each other in a circle, with the imports in the group.
fn cycles(imports: &Imports) -> Vec<String> {
    let files: Vec<&Path> = imports.keys().map(PathBuf::as_path).collect();
    let index = |path: &PathBuf| files.binary_search(&path.as_path()).ok();
    let edges: Vec<Vec<usize>> =
        imports.values().map(|targets| targets.keys().filter_map(index).collect()).collect();
    let mut found = Vec::new();
    for group in components::strongly_connected(&edges) {
        if group.len() < 2 {
            continue;
        }
        let mut text = format!("{} files import each other:", group.len());
        for from in group.iter().map(|&node| files[node]) {
            for (to, line) in &imports[from] {
                if group.iter().any(|&node| files[node] == to) {
                    text += &format!("\n        {}:{line} -> {}", from.display(), to.display());
                }
            }
        }
        found.push(text);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the cycles of a crate with these files.
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
        cycles(&imports(&workspace))
    }

    #[test]
    fn layers_have_no_cycle() {
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
    fn reexporting_file_imports_the_defining_file() {
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
    fn tests_and_declarations_of_modules_are_no_imports() {
        let files = [
            ("lib.rs", "pub mod a; pub struct Item; #[cfg(test)] mod tests { use crate::a::f; }"),
            ("a.rs", "use crate::Item; pub fn f(_: Item) {} #[cfg(test)] mod tests;"),
            ("main.rs", "mod b; fn main() { own::a::f(own::Item); }"),
            ("b.rs", "use own::Item;"),
        ];
        assert_eq!(cycles_of(&files), Vec::<String>::new());
    }
}
