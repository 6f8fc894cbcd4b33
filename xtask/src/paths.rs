//! Finds the folders of the workspace that the tasks use.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Folders of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// Root of the workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder. All generated files except the tools go here.
    pub(crate) target: PathBuf,
    /// Folder of the project's own tools.
    pub(crate) tools: PathBuf,
}

impl Paths {
    /// Derives the folders from the location of this program's source, so that the current folder
    /// does not matter.
    pub(crate) fn of_workspace() -> Result<Self> {
        let manifest_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = manifest_dir.parent().context("xtask has no parent folder")?.to_owned();
        // This is a variable of cargo, not a setting of the project.
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { target, tools: root.join(".tools"), root })
    }
}
