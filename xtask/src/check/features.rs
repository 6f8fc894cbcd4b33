//! Whether tests and programs are compiled from the same dependencies.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::binaries::cargo;
use crate::paths::Paths;

/// What is wrong, a sentence each: dependencies that would be compiled a second
/// time because tests alone ask for more of their features. With the AWS SDK
/// behind one of them, that is minutes of each test run on a fresh machine.
pub(crate) fn complaints(paths: &Paths) -> Result<Vec<String>> {
    let programs = resolved(paths, "normal")?;
    let tests = resolved(paths, "normal,dev")?;
    let complaint =
        |line| format!("compiled twice, add what tests ask for to xtask/Cargo.toml: {line}");
    Ok(programs.difference(&tests).map(complaint).collect())
}

/// Each dependency from a registry with its features, `name version [features]`.
fn resolved(paths: &Paths, edges: &str) -> Result<BTreeSet<String>> {
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
    // Ours have a path; what runs in the compiler has features of its own.
    let theirs = lines.filter(|line| !line.contains("(/") && !line.contains("(proc-macro)"));
    Ok(theirs.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
