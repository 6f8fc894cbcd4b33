//! Finds the packages of the workspace, from the list of members in `Cargo.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use toml_edit::DocumentMut;

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Folder, relative to the workspace: `crates/app`.
    pub(crate) folder: PathBuf,
    /// Name of the library in paths: `docferry_app`.
    pub(crate) library: String,
}

/// Returns the packages of the workspace in the order of their folders.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>> {
    let manifest = manifest(&root.join("Cargo.toml"))?;
    let members = manifest["workspace"]["members"].as_array().context("no workspace members")?;
    let mut folders = Vec::new();
    for member in members.iter().filter_map(|member| member.as_str()) {
        match member.strip_suffix("/*") {
            Some(parent) => {
                for entry in fs::read_dir(root.join(parent))? {
                    folders.push(Path::new(parent).join(entry?.file_name()));
                }
            }
            None => folders.push(member.into()),
        }
    }
    folders.sort();
    let packages = folders.into_iter().map(|folder| {
        let path = root.join(&folder).join("Cargo.toml");
        let name = manifest_name(&path)?;
        Ok(Package { folder, library: name.replace('-', "_") })
    });
    packages.collect()
}

/// Returns the name of the package with this manifest.
fn manifest_name(path: &Path) -> Result<String> {
    let manifest = manifest(path)?;
    let name = manifest["package"]["name"].as_str();
    Ok(name.with_context(|| format!("{}: no package name", path.display()))?.to_owned())
}

fn manifest(path: &Path) -> Result<DocumentMut> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    text.parse().with_context(|| format!("{}", path.display()))
}
