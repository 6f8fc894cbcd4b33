//! The step `lint` of `cargo xtask test`: checks the format, clippy's lints, and the licences of
//! dependencies.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::binaries::cargo;
use crate::paths::Paths;
use crate::process;

pub(crate) fn run(paths: &Paths) -> Result<()> {
    process::run(cargo(paths).args(["fmt", "--all", "--check"]))?;
    process::run(cargo(paths).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    check_licences(paths)
}

/// Checks bans, licences and sources of dependencies, if cargo-deny is installed. Security
/// advisories are checked only for a release, with `cargo deny check advisories`, because they need
/// the network.
fn check_licences(paths: &Paths) -> Result<()> {
    let mut probe = Command::new("cargo-deny");
    let version_check = probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version_check.is_ok_and(|status| status.success()) {
        println!("bans, licences and sources: not checked, cargo-deny is not installed");
        return Ok(());
    }
    println!("bans, licences and sources: checked; advisories: not checked, they need the network");
    process::run(cargo(paths).args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}
