//! Finds the packages of the workspace and their targets with `cargo metadata`.
//!
//! A *target* is a library or program that cargo builds from a package. The checks of the code read
//! the source files of these targets.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::binaries::metadata;
use crate::paths::Paths;

/// A package of the workspace. All paths are relative to the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Folder, such as `crates/app`.
    pub(crate) folder: PathBuf,
    /// Name of the package in Rust paths, such as `docferry_app`.
    pub(crate) library: String,
    pub(super) targets: Vec<PackageTarget>,
}

/// A library or program of a package.
#[derive(Debug)]
pub(super) struct PackageTarget {
    pub(super) kind: Kind,
    /// File of the root module.
    pub(super) file: PathBuf,
}

/// Kind of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Library,
    Program,
    /// Integration test, example or benchmark.
    TestProgram,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

/// Returns the packages of the workspace in the order of their folders.
pub(crate) fn packages(paths: &Paths) -> Result<Vec<Package>> {
    let Metadata { packages, workspace_root } = metadata(paths, &["--no-deps"])?;
    let mut packages = packages
        .into_iter()
        .map(|package| package.into_package(&workspace_root))
        .collect::<Result<Vec<_>>>()?;
    packages.sort_by(|first, second| first.folder.cmp(&second.folder));
    Ok(packages)
}

impl MetadataPackage {
    fn into_package(self, root: &Path) -> Result<Package> {
        let relative = |path: &Path| -> Result<PathBuf> {
            let path = path.strip_prefix(root);
            Ok(path.with_context(|| format!("{} is outside the workspace", self.name))?.to_owned())
        };
        let mut targets = Vec::new();
        for target in &self.targets {
            let kind = match target.kind.first().map(String::as_str) {
                Some("bin") => Kind::Program,
                Some("test" | "example" | "bench") => Kind::TestProgram,
                // Build scripts are not analysed.
                Some("custom-build") | None => continue,
                // `lib`, `proc-macro` and other kinds of libraries.
                Some(_) => Kind::Library,
            };
            targets.push(PackageTarget { kind, file: relative(&target.src_path)? });
        }
        let folder = self.manifest_path.parent().context("a manifest has no folder")?;
        Ok(Package { folder: relative(folder)?, library: self.name.replace('-', "_"), targets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_workspace_have_their_libraries_programs_and_tests() {
        let packages = packages(&Paths::of_workspace().unwrap()).unwrap();
        let targets_of = |folder: &str| -> Vec<_> {
            let package = packages.iter().find(|package| package.folder == Path::new(folder));
            let targets = package.unwrap().targets.iter();
            targets.map(|target| (target.kind, target.file.to_str().unwrap())).collect()
        };
        let domain = targets_of("crates/domain");
        assert!(domain.contains(&(Kind::Library, "crates/domain/src/lib.rs")), "{domain:?}");
        let test = (Kind::TestProgram, "crates/domain/tests/upload_machine/main.rs");
        assert!(domain.contains(&test), "{domain:?}");
        assert!(
            targets_of("functions/ping").contains(&(Kind::Program, "functions/ping/src/main.rs"))
        );
        assert!(packages.iter().any(|package| package.library == "docferry_app"));
    }
}
