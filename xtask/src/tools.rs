//! Installs the development tools that are Python packages, such as the AWS emulator and the SAM
//! CLI.
//!
//! Each set of tools has its own Python virtual environment in `.tools/`. A stamp file records the
//! versions with which the environment was created.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::paths::Paths;
use crate::process;

/// An installed virtual environment with tools.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    bin: PathBuf,
}

/// Files of a virtual environment: `venv`, `stamp` and `log` are in `.tools/`, and `requirements`
/// and `constraints` in `xtask/`.
struct Environment {
    venv: &'static str,
    stamp: &'static str,
    log: &'static str,
    requirements: &'static str,
    constraints: &'static str,
}

/// Tools that most commands need.
const TOOLS: Environment = Environment {
    venv: "venv",
    stamp: "stamp",
    log: "install.log",
    requirements: "requirements.txt",
    constraints: "constraints.txt",
};

/// Schemathesis, which tests the API with generated requests. This environment is separate, because
/// it needs other versions of packages than [`TOOLS`].
const SCHEMATHESIS: Environment = Environment {
    venv: "schemathesis",
    stamp: "schemathesis.stamp",
    log: "schemathesis.log",
    requirements: "requirements-schemathesis.txt",
    constraints: "constraints-schemathesis.txt",
};

/// Generator of API clients. This environment is separate, because the generator needs Java as a
/// Python package, which does not exist for every platform.
const CLIENTS: Environment = Environment {
    venv: "clients",
    stamp: "clients.stamp",
    log: "clients.log",
    requirements: "requirements-clients.txt",
    constraints: "constraints-clients.txt",
};

/// Validators of FHIR resources, and a public FHIR client. This environment is separate, because it
/// needs other versions of packages than [`TOOLS`].
const FHIR: Environment = Environment {
    venv: "fhir",
    stamp: "fhir.stamp",
    log: "fhir.log",
    requirements: "requirements-fhir.txt",
    constraints: "constraints-fhir.txt",
};

/// Tools that are being installed in the background while the caller compiles. The installation
/// mostly waits for the network, so it does not slow the compiler down.
#[derive(Debug)]
pub(crate) enum PendingTools {
    /// The thread that installs the tools. `None` if the installation has failed.
    Installing(Option<JoinHandle<Result<Tools>>>),
    Ready(Tools),
}

impl PendingTools {
    /// Starts the installation. Returns an error at once if Python is missing.
    pub(crate) fn begin(paths: &Paths) -> Result<Self> {
        python_version()?;
        let paths = paths.clone();
        Ok(Self::Installing(Some(thread::spawn(move || Tools::ensure(&paths)))))
    }

    /// Waits until the tools are installed, and returns them.
    pub(crate) fn get(&mut self) -> Result<&Tools> {
        if let Self::Installing(handle) = self {
            // Without a handle, an earlier call has already returned the error of the installation.
            let handle = handle.take().context("the tools could not be installed")?;
            let installed = handle.join().map_err(|_| anyhow!("installing the tools panicked"))?;
            *self = Self::Ready(installed?);
        }
        match self {
            Self::Ready(tools) => Ok(tools),
            Self::Installing(_) => bail!("the tools are not ready"),
        }
    }
}

impl Tools {
    /// Returns the environment that most commands need. Creates the environment first if it does
    /// not exist, or if the requirements or the Python of this machine have changed since its
    /// creation.
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

    /// Returns the environment with a validator of FHIR resources and a FHIR client.
    pub(crate) fn fhir(paths: &Paths) -> Result<Self> {
        Self::ensure_environment(paths, &FHIR)
    }

    /// Returns an environment. Creates it first if it is missing or outdated.
    fn ensure_environment(paths: &Paths, environment: &Environment) -> Result<Self> {
        fs::create_dir_all(&paths.tools)?;
        // The lock prevents concurrent installations.
        let lock = fs::File::create(paths.tools.join("lock"))?;
        lock.lock()?;
        let xtask = paths.root.join("xtask");
        let venv = paths.tools.join(environment.venv);
        let stamp = paths.tools.join(environment.stamp);
        let expected_stamp = format!(
            "{}{}{}",
            fs::read_to_string(xtask.join(environment.requirements))?,
            fs::read_to_string(xtask.join(environment.constraints))?,
            python_version()?,
        );
        let tools = Self { bin: venv.join("bin") };
        if fs::read_to_string(&stamp).is_ok_and(|found| found == expected_stamp) {
            return Ok(tools);
        }
        // The stamp is removed first and written last, so that an interrupted installation is
        // repeated.
        remove(&stamp)?;
        remove(&venv)?;
        install(&xtask, &venv, environment, &paths.tools.join(environment.log))?;
        fs::write(&stamp, expected_stamp)?;
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

/// Returns the version of `python3`. Returns an error that says what to install if Python is
/// missing, too old or unable to create virtual environments.
fn python_version() -> Result<String> {
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

/// Creates the virtual environment `venv` and installs its packages.
fn install(xtask: &Path, venv: &Path, environment: &Environment, log: &Path) -> Result<()> {
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
    .arg(xtask.join(environment.requirements))
    .arg("--constraint")
    .arg(xtask.join(environment.constraints));
    process::run_quietly(&mut pip, log).context(
        "the tools could not be installed; is PyPI, or a mirror that pip is set up for, reachable?",
    )?;
    println!("The tools were installed in {} s.", start.elapsed().as_secs());
    Ok(())
}

/// Removes a file or folder, if it exists.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
