//! Installs npm packages for tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;

/// Installs the packages in the lock file of `folder`. Scripts of the packages are not executed.
///
/// # Errors
/// If npm fails. Its output is in the file `log`.
pub(super) fn install(node: &Path, folder: &Path, log: &Path) -> Result<()> {
    let mut npm = Command::new(node.with_file_name("npm"));
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    // npm must use the Node.js that is installed together with it.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = node.parent().map(Path::to_owned).into_iter();
    npm.env("PATH", std::env::join_paths(tools.chain(std::env::split_paths(&path)))?);
    process::run_quietly(&mut npm, log).context("npm failed; is the npm registry reachable?")
}
