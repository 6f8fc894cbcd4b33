//! Checks files, links and tests that the documents name.

use std::fs;
use std::path::Path;

use super::document::Document;

/// Folders whose files the documents name by their path within the project.
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

pub(super) fn violations(document: &Document, root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let folder = root.join(&document.path);
    let folder = folder.parent().unwrap_or(root);
    for target in links(&document.text) {
        if !folder.join(target).exists() {
            found.push(format!("{}: the link to {target} is broken", document.path));
        }
    }
    for code in inline_code(&document.text) {
        if let Some((file, test)) = code.split_once("::") {
            if file.ends_with(".rs") && !has_test(&root.join(file), test) {
                found.push(format!("{}: there is no test {code}", document.path));
            }
        } else if FOLDERS.iter().any(|folder| code.starts_with(folder))
            && !code.contains(|letter: char| "<>*{}… ".contains(letter))
            && !root.join(code).exists()
        {
            found.push(format!("{}: there is no {code}", document.path));
        }
    }
    found
}

/// Returns the rows of the guarantees in `docs/SEMANTICS.md` that name no test.
pub(super) fn untested(semantics: &str) -> Vec<String> {
    let rows = semantics.lines().filter(|line| line.starts_with("| ") && !line.contains("| proof"));
    rows.filter(|row| !inline_code(row).any(|code| code.contains(".rs::")))
        .map(|row| format!("docs/SEMANTICS.md: no test for this guarantee: {row}"))
        .collect()
}

/// Returns the targets of links inside the project, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty())
}

/// Returns the texts between backticks. The lines of fences are ignored.
fn inline_code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Returns whether the file has a test function of that name. Its attribute must precede it
/// directly; functions in a `proptest!` block have the attribute there as well.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let Some(index) = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    }) else {
        return false;
    };
    let attributes = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.into_iter().any(|line| line.contains("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations_about(text: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        violations(&Document { path: "docs/x.md".into(), text: text.into() }, &root)
    }

    #[test]
    fn nonexistent_test_is_reported() {
        let real = "`xtask/src/check/docs/names.rs::nonexistent_test_is_reported`";
        assert_eq!(violations_about(real), Vec::<String>::new());
        // A function that exists but is not a test proves nothing.
        for wrong in ["no_such_test", "inline_code"] {
            let text = format!("`xtask/src/check/docs/names.rs::{wrong}`");
            assert_eq!(violations_about(&text).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn broken_links_and_missing_files_are_reported() {
        assert_eq!(
            violations_about("[a](../README.md#x) [b](https://x.example) `events/<name>`").len(),
            0
        );
        assert_eq!(
            violations_about("[a](README.md)"),
            ["docs/x.md: the link to README.md is broken"]
        );
        assert_eq!(violations_about("`crates/nowhere`"), ["docs/x.md: there is no crates/nowhere"]);
    }

    #[test]
    fn guarantee_without_a_test_is_reported() {
        assert_eq!(untested("| promise | proof |\n|---|---|\n| x | `a.rs::b` |\n").len(), 0);
        assert_eq!(untested("| promise | proof |\n|---|---|\n| x | soon |\n").len(), 1);
    }
}
