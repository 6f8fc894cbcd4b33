//! Installs the project's own tools into Python environments inside its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::paths::Paths;
use crate::process;

/// An installed environment of tools.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    bin: PathBuf,
}

/// An environment: its folder and stamp in `.tools/`, and its requirement files in `xtask/`.
struct Environment {
    venv: &'static str,
    stamp: &'static str,
    log: &'static str,
    requirements: &'static str,
    constraints: &'static str,
}

const TOOLS: Environment = Environment {
    venv: "venv",
    stamp: "stamp",
    log: "install.log",
    requirements: "requirements.txt",
    constraints: "constraints.txt",
};

/// Separate from the other tools, because it needs other versions of shared dependencies.
const SCHEMATHESIS: Environment = Environment {
    venv: "schemathesis",
    stamp: "schemathesis.stamp",
    log: "schemathesis.log",
    requirements: "requirements-schemathesis.txt",
    constraints: "constraints-schemathesis.txt",
};

/// Separate from the other tools, so that these also install on a machine without a wheel of Java.
const CLIENTS: Environment = Environment {
    venv: "clients",
    stamp: "clients.stamp",
    log: "clients.log",
    requirements: "requirements-clients.txt",
    constraints: "constraints-clients.txt",
};

/// Tools that are being installed in the background. Installing waits for the network while
/// compiling waits for the CPU.
#[derive(Debug)]
pub(crate) enum PendingTools {
    Making(Option<JoinHandle<Result<Tools>>>),
    Ready(Tools),
}

impl PendingTools {
    /// Starts the installation. Reports missing Python at once.
    pub(crate) fn begin(paths: &Paths) -> Result<Self> {
        python()?;
        let paths = paths.clone();
        Ok(Self::Making(Some(thread::spawn(move || Tools::ensure(&paths)))))
    }

    /// Waits until the tools are installed.
    pub(crate) fn get(&mut self) -> Result<&Tools> {
        if let Self::Making(handle) = self {
            // Already taken: the installation failed before, and its error has been reported.
            let handle = handle.take().context("the tools could not be installed")?;
            let installed = handle.join().map_err(|_| anyhow!("installing the tools panicked"))?;
            *self = Self::Ready(installed?);
        }
        match self {
            Self::Ready(tools) => Ok(tools),
            Self::Making(_) => bail!("the tools are not ready"),
        }
    }
}

impl Tools {
    /// Creates the environment, or recreates it when the requirements or the machine's Python have
    /// changed. Otherwise this takes a few milliseconds.
    pub(crate) fn ensure(paths: &Paths) -> Result<Self> {
        Self::ensure_environment(paths, &TOOLS)
    }

    /// Returns the path of Schemathesis, which tests the API against its OpenAPI description.
    pub(crate) fn schemathesis(paths: &Paths) -> Result<PathBuf> {
        Ok(Self::ensure_environment(paths, &SCHEMATHESIS)?.bin.join("schemathesis"))
    }

    /// Returns the environment with the client generator and the dependencies of the generated
    /// Python client.
    pub(crate) fn clients(paths: &Paths) -> Result<Self> {
        Self::ensure_environment(paths, &CLIENTS)
    }

    fn ensure_environment(paths: &Paths, environment: &Environment) -> Result<Self> {
        fs::create_dir_all(&paths.tools)?;
        // The lock prevents concurrent installations.
        let lock = fs::File::create(paths.tools.join("lock"))?;
        lock.lock()?;
        let folder = paths.root.join("xtask");
        let venv = paths.tools.join(environment.venv);
        let stamp = paths.tools.join(environment.stamp);
        let expected = format!(
            "{}{}{}",
            fs::read_to_string(folder.join(environment.requirements))?,
            fs::read_to_string(folder.join(environment.constraints))?,
            python()?,
        );
        let tools = Self { bin: venv.join("bin") };
        if fs::read_to_string(&stamp).is_ok_and(|found| found == expected) {
            return Ok(tools);
        }
        // The stamp is removed first and written last, so that an interrupted installation is
        // repeated.
        remove(&stamp)?;
        remove(&venv)?;
        install(&folder, &venv, environment, &paths.tools.join(environment.log))?;
        fs::write(&stamp, expected)?;
        Ok(tools)
    }

    /// Returns a command for one of the tools, with the environment's folder in `PATH`.
    pub(crate) fn command(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(self.bin.join(name));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let with_tools = [self.bin.clone()].into_iter().chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(with_tools)?)
            .env("SAM_CLI_TELEMETRY", "0")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }

    /// Returns the path of the environment's Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.bin.join("python")
    }
}

/// Returns the version of `python3`. The error names the remedy when it cannot create environments.
fn python() -> Result<String> {
    let probe = "import sys, venv, ensurepip\n\
                 print(sys.version.replace(chr(10), ' '), sys.prefix)\n\
                 sys.exit(sys.version_info < (3, 10))";
    let Ok(output) = Command::new("python3").args(["-c", probe]).output() else {
        bail!(
            "python3 was not found. It runs the local cloud and the SAM CLI.\n  \
             Debian, Ubuntu: apt-get install python3 python3-venv\n  \
             macOS: brew install python"
        );
    };
    let version = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(version.trim().to_owned());
    }
    let error_output = String::from_utf8_lossy(&output.stderr);
    if error_output.contains("ensurepip") || error_output.contains("venv") {
        bail!(
            "python3 cannot make virtual environments: a part of it is missing.\n  \
             Debian, Ubuntu: apt-get install python3-venv\n  (its error: {})",
            error_output.lines().last().unwrap_or_default()
        );
    }
    bail!("Python 3.10 or later is needed; python3 is {}{}", version.trim(), error_output.trim());
}

fn install(folder: &Path, venv: &Path, environment: &Environment, log: &Path) -> Result<()> {
    println!(
        "Installing the project's tools in .tools/{} (once; a minute or two) …",
        environment.venv
    );
    let start = Instant::now();
    process::run_quietly(Command::new("python3").args(["-m", "venv"]).arg(venv), log)
        .context("python3 could not make a virtual environment; Debian, Ubuntu: apt-get install python3-venv")?;
    let mut pip = Command::new(venv.join("bin").join("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--requirement",
    ])
    .arg(folder.join(environment.requirements))
    .arg("--constraint")
    .arg(folder.join(environment.constraints));
    process::run_quietly(&mut pip, log).context(
        "the tools could not be installed; is PyPI, or a mirror that pip is set up for, reachable?",
    )?;
    println!("The tools were installed in {} s.", start.elapsed().as_secs());
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
