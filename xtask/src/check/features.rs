//! Checks that tests and programs use the same features of their dependencies. Otherwise cargo
//! compiles a dependency twice, once for the tests and once for the programs.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::binaries::cargo;
use crate::paths::Paths;

/// Returns one violation for each dependency of which the tests enable more features. All packages
/// that need such a dependency are compiled twice as well. For the AWS SDK, this takes minutes.
pub(crate) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let programs = resolved_dependencies(paths, "normal")?;
    let tests = resolved_dependencies(paths, "normal,dev")?;
    let violation = |line| {
        format!("compiled twice, add the features that tests enable to xtask/Cargo.toml: {line}")
    };
    Ok(programs.difference(&tests).map(violation).collect())
}

/// Returns each registry dependency with its features, as `name version [features]`.
fn resolved_dependencies(paths: &Paths, edges: &str) -> Result<BTreeSet<String>> {
    let output = cargo(paths)
        .args([
            "tree",
            "--workspace",
            "--prefix",
            "none",
            "--format",
            "{p} [{f}]",
            "--edges",
            edges,
        ])
        .output()?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    // Skip the packages of the workspace, which have a path in their line. Skip procedural macros,
    // which run in the compiler and have separate features.
    let registry_lines =
        lines.filter(|line| !line.contains("(/") && !line.contains("(proc-macro)"));
    Ok(registry_lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
