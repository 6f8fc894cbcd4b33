//! Where things are.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// The folders of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The project's folder.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; everything that is made goes in here, but for the tools.
    pub(crate) target: PathBuf,
    /// The project's own tools.
    pub(crate) tools: PathBuf,
}

impl Paths {
    /// Found from where this program's source lies, so that it does not matter
    /// from which folder it is called.
    pub(crate) fn of_workspace() -> Result<Self> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask lies in the workspace")?.to_owned();
        // Cargo sets the variable's meaning, not we: no need of our configuration reader.
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { target, tools: root.join(".tools"), root })
    }
}
