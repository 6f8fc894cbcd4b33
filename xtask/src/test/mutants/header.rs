//! Parser of the header of a mutant: a patch in `tests/mutants/` that adds a mistake to the code.
//!
//! The header states the mistake, the guarantee that it breaks, and the tests that must fail with
//! it:
//!
//! ```text
//! Mistake: one sentence. A line that begins with a space
//!   continues the line before it.
//! Breaks: the guarantee, as docs/SEMANTICS.md calls it.
//! Caught by: crates/app/tests/sweep.rs::a_test_that_must_fail
//! Caught by: crates/domain/src/transfer/arrival.rs::another_one
//!
//! --- a/crates/…
//! ```

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A patch that adds a mistake to the code, with its header.
#[derive(Debug)]
pub(super) struct Mutant {
    /// Name of the patch file without its extension.
    pub(super) name: String,
    /// Path of the patch file.
    pub(super) patch: PathBuf,
    /// Description of the mistake, from `Mistake`.
    pub(super) mistake: String,
    /// Guarantee in docs/SEMANTICS.md that the mistake breaks.
    pub(super) breaks: String,
    /// Tests that must fail with the mistake.
    pub(super) caught_by: Vec<TestName>,
    /// Files that the patch changes.
    pub(super) files: Vec<String>,
}

/// Where a test is compiled.
struct TestLocation<'a> {
    /// Folder of the test's package.
    package: &'a str,
    /// Integration test program that contains the test, or `None` for a unit test of the library.
    program: Option<&'a str>,
}

/// Name of a test as in docs/SEMANTICS.md: `path/file.rs::function`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestName {
    pub(super) file: String,
    pub(super) function: String,
}

impl Mutant {
    pub(super) fn read(patch: &Path) -> Result<Self> {
        let text = fs::read_to_string(patch)?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, patch, &text).with_context(|| format!("{}", patch.display()))
    }

    fn parse(name: &str, patch: &Path, text: &str) -> Result<Self> {
        let (mut mistake, mut breaks, mut caught_by) = (None, None, Vec::new());
        for line in header_lines(text) {
            match line.split_once(": ") {
                Some(("Mistake", value)) => mistake = Some(value.to_owned()),
                Some(("Breaks", value)) => breaks = Some(value.to_owned()),
                Some(("Caught by", value)) => caught_by.push(TestName::parse(value)?),
                _ => bail!("the header has an invalid line: {line}"),
            }
        }
        if caught_by.is_empty() {
            bail!("the header names no test (Caught by: …)");
        }
        let changed = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let files: Vec<_> = changed.map(|file| file.trim_end().to_owned()).collect();
        if files.is_empty() {
            bail!("the patch changes no file (+++ b/…)");
        }
        Ok(Self {
            name: name.to_owned(),
            patch: patch.to_owned(),
            mistake: mistake.context("the header does not describe the mistake (Mistake: …)")?,
            breaks: breaks.context("the header names no guarantee (Breaks: …)")?,
            caught_by,
            files,
        })
    }
}

/// Returns the lines of the header. A continuation line is joined with the line before it.
fn header_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let is_header = |line: &&str| !line.starts_with("--- ") && !line.starts_with("diff ");
    for line in text.lines().take_while(is_header).filter(|line| !line.trim().is_empty()) {
        match lines.last_mut().filter(|_| line.starts_with(' ')) {
            Some(last) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            None => lines.push(line.trim_end().to_owned()),
        }
    }
    lines
}

impl TestName {
    fn parse(text: &str) -> Result<Self> {
        let (file, function) = text
            .trim()
            .split_once("::")
            .with_context(|| format!("a test is named by path/file.rs::function, not {text}"))?;
        let name = Self { file: file.to_owned(), function: function.to_owned() };
        name.location()
            .with_context(|| format!("{file} is neither below src/ nor below tests/"))?;
        Ok(name)
    }

    /// Returns the location of the test. Returns `None` if the file is neither below `src/` nor
    /// below `tests/`.
    fn location(&self) -> Option<TestLocation<'_>> {
        if let Some((package, _)) = self.file.split_once("/src/") {
            return Some(TestLocation { package, program: None });
        }
        let (package, file) = self.file.split_once("/tests/")?;
        // A test program with several files is a folder below `tests/`.
        let program = file.strip_suffix(".rs")?.split('/').next();
        Some(TestLocation { package, program })
    }

    /// Returns the folder of the test's package.
    pub(super) fn package(&self) -> &str {
        self.location().map_or("", |location| location.package)
    }

    /// Returns the integration test program that contains the test, or `None` for a unit test of
    /// the library.
    pub(super) fn program(&self) -> Option<&str> {
        self.location().and_then(|location| location.program)
    }
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.file, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mutant with a complete header. `F5` stands for a guarantee in docs/SEMANTICS.md.
    const COMPLETE: &str = "Mistake: an old object\n  counts as new.\nBreaks: F5.\n\
        Caught by: crates/app/tests/transfer.rs::first\nCaught by: crates/domain/src/transfer/arrival.rs::second\n\
        \n--- a/crates/domain/src/transfer/arrival.rs\n+++ b/crates/domain/src/transfer/arrival.rs\n@@ -1 +1 @@\n-a\n+b\n";

    fn parse(text: &str) -> Result<Mutant> {
        Mutant::parse("01-x", Path::new("01-x.patch"), text)
    }

    #[test]
    fn complete_mutant_header_is_parsed() {
        let mutant = parse(COMPLETE).unwrap();

        assert_eq!(mutant.mistake, "an old object counts as new.");
        assert_eq!(mutant.breaks, "F5.");
        assert_eq!(mutant.files, ["crates/domain/src/transfer/arrival.rs"]);
        let [integration_test, unit_test] = &mutant.caught_by[..] else { panic!("{mutant:?}") };
        assert_eq!(integration_test.package(), "crates/app");
        assert_eq!(integration_test.program(), Some("transfer"));
        assert_eq!(unit_test.package(), "crates/domain");
        assert_eq!(unit_test.program(), None);
        assert_eq!(unit_test.function, "second");
    }

    #[test]
    fn test_program_with_several_files_is_named_by_its_folder() {
        let test = TestName::parse("crates/domain/tests/model/rules.rs::third").unwrap();
        assert_eq!(test.package(), "crates/domain");
        assert_eq!(test.program(), Some("model"));
    }

    #[test]
    fn incomplete_mutant_header_is_an_error() {
        for (removed, message) in [
            ("Mistake: an old object\n  counts as new.\n", "mistake"),
            ("Breaks: F5.\n", "guarantee"),
            ("+++ b/crates/domain/src/transfer/arrival.rs\n", "no file"),
        ] {
            let error = parse(&COMPLETE.replace(removed, "")).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        for (header, message) in [
            ("Breaks: F5.\n--- a/x\n+++ b/x\n", "no test"),
            ("Caught by: crates/app/tests/transfer.rs\n", "path/file.rs::function"),
            ("Caught by: build.rs::x\n", "neither below"),
            ("Catched by: crates/app/tests/transfer.rs::first\n", "invalid line"),
        ] {
            let error = parse(header).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
