//! Copy of the project's files in which mutation tests run.
//!
//! A mutant is a patch with a mistake. The patch is applied to this copy, so that the project's own
//! files stay unchanged. The copy and its compiled files remain below `target/` between runs, so
//! that cargo compiles only changed files again. Each run compares the contents of the copy with
//! the project. The run therefore restores a file that an earlier, killed run left modified.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::header::Mutant;
use crate::paths::Paths;
use crate::process;

/// The copy, locked against use by another run.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Paths of the copy.
    pub(super) paths: Paths,
    /// Log of the test that is running in the copy.
    pub(super) log: PathBuf,
    _lock: File,
}

/// A mutant that is applied to the copy. Dropping it restores the original files.
#[derive(Debug)]
pub(super) struct Applied {
    /// Paths and original contents of the files that the mutant changes.
    originals: Vec<(PathBuf, Vec<u8>)>,
}

impl Drop for Applied {
    fn drop(&mut self) {
        for (path, original) in &self.originals {
            // A file that cannot be restored here is restored by the next run.
            let _write_result = fs::write(path, original);
        }
    }
}

impl Scratch {
    /// Updates the copy to the current state of the project: all tracked files and all new files
    /// that git does not ignore.
    pub(super) fn prepare(paths: &Paths) -> Result<Self> {
        let folder = paths.target.join("mutants");
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("another run uses {}: wait until it ends, or stop it", folder.display());
        }
        let root = folder.join("tree");
        let file_list = process::run_with_input(
            Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(&paths.root),
            "",
        )?;
        // git also lists files whose deletion is not committed.
        let files = file_list.split('\0').filter(|file| paths.root.join(file).is_file());
        synchronize(&paths.root, &root, &files.map(PathBuf::from).collect())?;
        let paths = Paths { root, target: folder.join("target"), tools: paths.tools.clone() };
        Ok(Self { paths, log: folder.join("test.log"), _lock: lock })
    }

    /// Applies a mutant. The inner error says why its patch cannot be applied. The outer error is a
    /// failure of the machine, such as a missing git.
    pub(super) fn apply(&self, mutant: &Mutant) -> Result<Result<Applied, String>> {
        let mut originals = Vec::new();
        for file in &mutant.files {
            let path = self.paths.root.join(file);
            match fs::read(&path) {
                Ok(content) => originals.push((path, content)),
                Err(_) => return Ok(Err(format!("{file} does not exist"))),
            }
        }
        let applied = Applied { originals };
        let output = Command::new("git")
            // `-C1` requires only one unchanged line of context, so that unrelated changes nearby
            // do not matter.
            .args(["apply", "-C1"])
            .arg(&mutant.patch)
            .current_dir(&self.paths.root)
            // The copy is not a git repository. Without this variable, git would use the repository
            // of the project, which surrounds the copy.
            .env("GIT_CEILING_DIRECTORIES", self.paths.root.parent().unwrap_or(&self.paths.root))
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .output()
            .context("cannot start git")?;
        let unchanged = |(path, original): &(PathBuf, Vec<u8>)| {
            fs::read(path).is_ok_and(|content| content == *original)
        };
        if !output.status.success() {
            return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        if applied.originals.iter().any(unchanged) {
            return Ok(Err("it changes nothing".to_owned()));
        }
        Ok(Ok(applied))
    }
}

/// Makes the folder `target` contain exactly the `files` of the folder `source`. Unchanged files
/// are not written, because cargo compiles a file again if its modification time changes.
fn synchronize(source: &Path, target: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for file in files {
        let (original, copy) = (source.join(file), target.join(file));
        let content = fs::read(&original).with_context(|| format!("{}", original.display()))?;
        if !fs::read(&copy).is_ok_and(|existing| existing == content) {
            fs::create_dir_all(copy.parent().unwrap_or(target))?;
            fs::write(&copy, content).with_context(|| format!("{}", copy.display()))?;
        }
    }
    remove_unlisted(target, target, files)
}

/// Removes all files below `folder` that are not in `files`. Those paths are relative to `root`.
fn remove_unlisted(root: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_unlisted(root, &path, files)?;
        } else if !files.contains(path.strip_prefix(root)?) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a folder for one test. The test removes the folder if it succeeds.
    fn create_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("docferry-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("from/src")).unwrap();
        folder
    }

    #[test]
    fn copy_restores_modified_files_and_does_not_rewrite_unchanged_files() {
        let folder = create_folder("copy");
        let (from, to) = (folder.join("from"), folder.join("to"));
        for (file, text) in [("same", "1"), ("src/changed", "2")] {
            fs::write(from.join(file), text).unwrap();
        }
        let files = BTreeSet::from(["same".into(), "src/changed".into()]);
        synchronize(&from, &to, &files).unwrap();
        let modified_at = || fs::metadata(to.join("same")).unwrap().modified().unwrap();
        let first_modified_at = modified_at();
        // A killed run may have left the copy in this state.
        fs::write(to.join("src/changed"), "mutated").unwrap();
        fs::write(to.join("src/unlisted"), "3").unwrap();

        synchronize(&from, &to, &files).unwrap();

        assert_eq!(fs::read_to_string(to.join("src/changed")).unwrap(), "2");
        assert!(!to.join("src/unlisted").exists());
        assert_eq!(modified_at(), first_modified_at);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn mutant_is_applied_and_then_restored_but_rejected_if_it_does_not_match() {
        let folder = create_folder("apply");
        let root = folder.join("from");
        fs::write(root.join("src/a"), "one\ntwo\nthree\n").unwrap();
        let patch = folder.join("x.patch");
        let header = "Mistake: x\nBreaks: y\nCaught by: a/src/b.rs::c\n";
        let mutant_replacing = |old_line: &str| {
            let hunk = format!("@@ -1,3 +1,3 @@\n one\n-{old_line}\n+2\n three\n");
            fs::write(&patch, format!("{header}\n--- a/src/a\n+++ b/src/a\n{hunk}")).unwrap();
            Mutant::read(&patch).unwrap()
        };
        let paths = Paths { root: root.clone(), target: folder.clone(), tools: folder.clone() };
        let lock = File::create(folder.join("lock")).unwrap();
        let scratch = Scratch { paths, log: folder.join("log"), _lock: lock };
        let content = || fs::read_to_string(root.join("src/a")).unwrap();

        let applied = scratch.apply(&mutant_replacing("two")).unwrap().unwrap();
        assert_eq!(content(), "one\n2\nthree\n");

        drop(applied);
        assert_eq!(content(), "one\ntwo\nthree\n");

        assert!(scratch.apply(&mutant_replacing("another")).unwrap().is_err());
        assert_eq!(content(), "one\ntwo\nthree\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
