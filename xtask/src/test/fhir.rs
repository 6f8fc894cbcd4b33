//! Installs the programs with which tests check the FHIR resources of the API: two validators, and a
//! client that this project did not write.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::npm;
use crate::extras;
use crate::paths::Paths;
use crate::tools::Tools;

/// The installed programs.
pub(super) struct FhirPrograms {
    /// Folder with the files of `tests/fhir` and the npm packages that they need.
    pub(super) folder: PathBuf,
    /// Python with the packages that they need.
    pub(super) python: PathBuf,
}

impl FhirPrograms {
    /// Installs the programs.
    ///
    /// # Errors
    /// If a program cannot be installed. The tests need all of them, so none is optional.
    pub(super) fn ensure(paths: &Paths, tools: &Tools) -> Result<Self> {
        let python = Tools::fhir(paths)?.python();
        let node = extras::NODE.ensure(paths, tools)?;
        let folder = paths.target.join("fhir");
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(paths.root.join("tests/fhir"))? {
            let entry = entry?;
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
        install_packages(&node, &folder, &paths.tools.join("fhir-npm.log"))
            .context("the npm package fhir could not be installed")?;
        Ok(Self { folder, python })
    }
}

/// Installs the npm packages, if the lock file has changed since the last time.
fn install_packages(node: &Path, folder: &Path, log: &Path) -> Result<()> {
    let lock = fs::read_to_string(folder.join("package-lock.json"))?;
    // npm removes this folder before it installs the packages, and the stamp with it.
    let stamp = folder.join("node_modules/installed-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("Installing the npm package fhir …");
    npm::install(node, folder, log)?;
    fs::write(stamp, lock)?;
    Ok(())
}
