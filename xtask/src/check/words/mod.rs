//! Checks that the code does not use retired words. These are unclear words of older code, which
//! clearer words have replaced.
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

/// Adds the Rust files below a folder, with their texts.
fn read_sources(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder))?.collect::<Result<Vec<_>, _>>()?;
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_sources(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path))?;
            files.push((path.to_string_lossy().into_owned(), text));
        }
    }
    files.sort();
    Ok(())
}

/// Returns the violations in files, which are given by their paths and texts.
fn violations_in(
    files: &[(String, String)],
    retired: &[RetiredWord<'_>],
    allowed: &[AllowedUse<'_>],
) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let mut is_used = vec![false; allowed.len()];
    for (file, text) in files {
        let mut occurrences = scan::scan(text).with_context(|| file.clone())?;
        occurrences.sort_by_key(|found| found.line);
        for found in &occurrences {
            let applies = |rule: &&RetiredWord<'_>| rule.applies(file, found.place);
            for rule in retired.iter().filter(applies).filter(|rule| found.contains(rule.word)) {
                let exception =
                    allowed.iter().position(|exception| exception.covers(file, rule.word));
                match exception {
                    Some(index) => is_used[index] = true,
                    None => violations.push(describe(file, found, rule)),
                }
            }
        }
    }
    // An identifier may break a rule as a whole and by one of its parts. One violation is enough.
    violations.dedup();
    let unused = allowed.iter().zip(is_used).filter(|(_, is_used)| !is_used);
    violations.extend(unused.map(|(allowed, _)| allowed.unused_violation()));
    Ok(violations)
}

/// Returns the text of a violation.
fn describe(file: &str, found: &Occurrence, retired: &RetiredWord<'_>) -> String {
    let text = match found.place {
        Place::Prose | Place::Opening => retired.word,
        _ => &found.text,
    };
    format!("{file}:{}: `{text}`: use {}", found.line, retired.replacement)
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
        violations_in(&[(file.to_owned(), text.to_owned())], &retired, &allowed).unwrap()
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
