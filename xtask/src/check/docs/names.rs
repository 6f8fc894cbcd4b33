//! Checks the names in the documents: every named file, link target and test must exist.
//!
//! A document names files and tests as *inline code*, which is text between backticks. A test is
//! named by its file and its function: `path/file.rs::function`.

use std::fs;
use std::path::Path;

use super::document::Document;

/// Folders of the project. If inline code begins with one of them, it is the path of a file.
const FOLDERS: [&str; 11] = [
    ".ci/",
    ".config/",
    "cli/",
    "crates/",
    "docs/",
    "events/",
    "functions/",
    "simulators/",
    "statemachine/",
    "tests/",
    "xtask/",
];

/// Checks the link targets, file names and test names in one document.
pub(super) fn violations(document: &Document, root: &Path) -> Vec<String> {
    let mut violations = Vec::new();
    let folder = root.join(&document.path);
    let folder = folder.parent().unwrap_or(root);
    for target in links(&document.text) {
        if !folder.join(target).exists() {
            violations.push(format!("{}: the link to {target} is broken", document.path));
        }
    }
    for code in inline_code(&document.text) {
        if let Some((file, test)) = code.split_once("::") {
            if file.ends_with(".rs") && !has_test(&root.join(file), test) {
                violations.push(format!("{}: there is no test {code}", document.path));
            }
        } else if FOLDERS.iter().any(|folder| code.starts_with(folder))
            && !code.contains(|letter: char| "<>*{}… ".contains(letter))
            && !root.join(code).exists()
        {
            violations.push(format!("{}: there is no {code}", document.path));
        }
    }
    violations
}

/// Returns a violation for each guarantee in `docs/SEMANTICS.md` that names no test.
pub(super) fn guarantees_without_test(semantics: &str) -> Vec<String> {
    let rows = semantics.lines().filter(|line| line.starts_with("| ") && !line.contains("| proof"));
    rows.filter(|row| !inline_code(row).any(|code| code.contains(".rs::")))
        .map(|row| format!("docs/SEMANTICS.md: no test for this guarantee: {row}"))
        .collect()
}

/// Returns the targets of links inside the project, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|text| text.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty())
}

/// Returns the texts between backticks. Skips the lines that begin or end a code block.
fn inline_code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Returns whether the file has a test function of this name. A test attribute must be among the
/// attributes directly above the function. The function may be in a `proptest!` block.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let Some(index) = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|declaration| declaration.strip_prefix(name))
            .is_some_and(|parameters| parameters.starts_with('('))
    }) else {
        return false;
    };
    let attributes = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.into_iter().any(|line| line.contains("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the violations in a document `docs/x.md` with this text.
    fn violations_in(text: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        violations(&Document { path: "docs/x.md".into(), text: text.into() }, &root)
    }

    #[test]
    fn nonexistent_test_is_reported() {
        let existing = "`xtask/src/check/docs/names.rs::nonexistent_test_is_reported`";
        assert_eq!(violations_in(existing), Vec::<String>::new());

        // `inline_code` is a function of this file, but not a test.
        for name in ["no_such_test", "inline_code"] {
            let text = format!("`xtask/src/check/docs/names.rs::{name}`");
            assert_eq!(violations_in(&text).len(), 1, "{name}");
        }
    }

    #[test]
    fn broken_links_and_missing_files_are_reported() {
        assert_eq!(
            violations_in("[a](../README.md#x) [b](https://x.example) `events/<name>`").len(),
            0
        );
        assert_eq!(violations_in("[a](README.md)"), ["docs/x.md: the link to README.md is broken"]);
        assert_eq!(violations_in("`crates/nowhere`"), ["docs/x.md: there is no crates/nowhere"]);
    }

    #[test]
    fn guarantee_without_a_test_is_reported() {
        assert_eq!(
            guarantees_without_test("| promise | proof |\n|---|---|\n| x | `a.rs::b` |\n").len(),
            0
        );
        assert_eq!(
            guarantees_without_test("| promise | proof |\n|---|---|\n| x | soon |\n").len(),
            1
        );
    }
}
