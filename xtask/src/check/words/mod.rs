//! Checks that the code does not use retired words. A *retired word* is an unclear word of older
//! code that a clearer word has replaced.
//!
//! `retired.txt` lists the retired words with their replacements. `allowed.txt` lists the uses that
//! are still allowed.

mod list;
mod scan;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::source::packages;
use list::{AllowedUse, Place, RetiredWord};
use scan::Occurrence;

/// Returns the uses of retired words in all Rust files, one sentence each.
pub(super) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let retired = list::parse_retired(include_str!("retired.txt"))?;
    let allowed = list::parse_allowed(include_str!("allowed.txt"))?;
    let mut files = Vec::new();
    for package in packages(paths)? {
        read_sources(&paths.root, &package.folder, &mut files)?;
    }
    violations_in(&files, &retired, &allowed)
}

/// A Rust file.
struct SourceFile {
    /// Path relative to the project's folder.
    path: String,
    text: String,
}

/// Adds the Rust files below a folder to `files`.
fn read_sources(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder))?.collect::<Result<Vec<_>, _>>()?;
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_sources(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path))?;
            files.push(SourceFile { path: path.to_string_lossy().into_owned(), text });
        }
    }
    files.sort_by(|first, second| first.path.cmp(&second.path));
    Ok(())
}

/// Returns the violations in these files. Also returns one violation for each allowed use that no
/// file needs.
fn violations_in(
    files: &[SourceFile],
    retired: &[RetiredWord<'_>],
    allowed: &[AllowedUse<'_>],
) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let mut is_used = vec![false; allowed.len()];
    for SourceFile { path, text } in files {
        let mut occurrences = scan::scan(text).with_context(|| path.clone())?;
        occurrences.sort_by_key(|occurrence| occurrence.line);
        for occurrence in &occurrences {
            let used_words = retired.iter().filter(|retired_word| {
                retired_word.applies(path, occurrence.place)
                    && occurrence.contains(retired_word.word)
            });
            for retired_word in used_words {
                let allows_word =
                    |exception: &AllowedUse<'_>| exception.covers(path, retired_word.word);
                match allowed.iter().position(allows_word) {
                    Some(index) => is_used[index] = true,
                    None => violations.push(describe(path, occurrence, retired_word)),
                }
            }
        }
    }
    // If a word is retired both as an identifier and as a part of one, report it only once.
    violations.dedup();
    let unused = allowed.iter().zip(is_used).filter(|(_, is_used)| !is_used);
    violations.extend(unused.map(|(allowed, _)| allowed.unused_violation()));
    Ok(violations)
}

/// Returns the text of a violation.
fn describe(path: &str, occurrence: &Occurrence, retired: &RetiredWord<'_>) -> String {
    let text = match occurrence.place {
        Place::Prose | Place::Opening => retired.word,
        _ => &occurrence.text,
    };
    format!("{path}:{}: `{text}`: use {}", occurrence.line, retired.replacement)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Retired words of the tests.
    const RETIRED: &str = "
        Turn | name | slot
        bundle | part | batch | crates/a
        gadget | prose part | device
        what | test | the thing
        Former | opening | earlier
        end | fn | end_run";

    fn violations_of(file: &str, text: &str, allowed: &str) -> Vec<String> {
        let retired = list::parse_retired(RETIRED).unwrap();
        let allowed = list::parse_allowed(allowed).unwrap();
        let file = SourceFile { path: file.to_owned(), text: text.to_owned() };
        violations_in(&[file], &retired, &allowed).unwrap()
    }

    #[test]
    fn identifiers_are_compared_as_a_whole_or_by_their_parts() {
        let text = "struct Turn; struct Turns; fn f() {\n m!(load_bundle, BundleItem, bundled) }";
        assert_eq!(
            violations_of("crates/a/x.rs", text, ""),
            [
                "crates/a/x.rs:1: `Turn`: use slot",
                "crates/a/x.rs:2: `load_bundle`: use batch",
                "crates/a/x.rs:2: `BundleItem`: use batch",
            ]
        );
        // The word `bundle` is retired only in `crates/a`.
        assert_eq!(violations_of("crates/ab/x.rs", text, "").len(), 1);
    }

    #[test]
    fn retired_function_name_is_reported_at_the_definition_but_not_at_a_call() {
        assert_eq!(violations_of("x.rs", "fn end() { span.end(); }", "").len(), 1);
    }

    #[test]
    fn comments_and_log_messages_are_read_but_other_strings_are_not() {
        let text = "/// Former name.\n// The Gadget stops.\nfn f() {\n tracing::info!(id = 1, \"gadget stopped\");\n g(\"gadget\"); }";
        assert_eq!(
            violations_of("x.rs", text, ""),
            [
                "x.rs:1: `Former`: use earlier",
                "x.rs:2: `gadget`: use device",
                "x.rs:4: `gadget`: use device",
            ]
        );
    }

    #[test]
    fn word_that_is_retired_in_test_names_is_allowed_in_other_functions() {
        let text = "#[tokio::test] async fn knows_what_to_do() {} fn what_else() {}";
        assert_eq!(violations_of("x.rs", text, ""), ["x.rs:1: `knows_what_to_do`: use the thing"]);
    }

    #[test]
    fn allowed_use_is_not_reported_but_an_unused_exception_is() {
        let allowed = "crates/a | bundle | the name on the wire\ncrates/b | bundle | none";
        assert_eq!(
            violations_of("crates/a/x.rs", "struct Bundle;", allowed),
            ["allowed.txt allows bundle in crates/b, which does not use it"]
        );
    }
}
