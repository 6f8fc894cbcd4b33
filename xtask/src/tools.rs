//! The project's own tools, in a Python environment inside its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::paths::Paths;
use crate::process;

/// The environment, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    bin: PathBuf,
}

/// What an environment is called in `.tools/`, and what goes in: files in `xtask/`.
struct Kind {
    venv: &'static str,
    stamp: &'static str,
    log: &'static str,
    requirements: &'static str,
    constraints: &'static str,
}

const TOOLS: Kind = Kind {
    venv: "venv",
    stamp: "stamp",
    log: "install.log",
    requirements: "requirements.txt",
    constraints: "constraints.txt",
};

/// Apart from the others, because it wants other versions of what both are made of.
const SCHEMATHESIS: Kind = Kind {
    venv: "schemathesis",
    stamp: "schemathesis.stamp",
    log: "schemathesis.log",
    requirements: "requirements-schemathesis.txt",
    constraints: "constraints-schemathesis.txt",
};

/// Apart from the others, so that a machine without a wheel of Java has those.
const CLIENTS: Kind = Kind {
    venv: "clients",
    stamp: "clients.stamp",
    log: "clients.log",
    requirements: "requirements-clients.txt",
    constraints: "constraints-clients.txt",
};

/// The tools, in the making: installing waits for the network while compiling
/// waits for the processor.
#[derive(Debug)]
pub(crate) enum ToolsSoon {
    Making(Option<JoinHandle<Result<Tools>>>),
    Ready(Tools),
}

impl ToolsSoon {
    /// Begins; what is missing on the machine is told at once.
    pub(crate) fn begin(paths: &Paths) -> Result<Self> {
        python()?;
        let paths = paths.clone();
        Ok(Self::Making(Some(thread::spawn(move || Tools::ensure(&paths)))))
    }

    /// Waits until they are ready.
    pub(crate) fn get(&mut self) -> Result<&Tools> {
        if let Self::Making(making) = self {
            // Taken already: it failed before, and has been told.
            let making = making.take().context("the tools could not be made")?;
            let made = making.join().map_err(|_| anyhow!("making the tools panicked"))?;
            *self = Self::Ready(made?);
        }
        match self {
            Self::Ready(tools) => Ok(tools),
            Self::Making(_) => bail!("the tools are not ready"),
        }
    }
}

impl Tools {
    /// Makes the environment, or makes it again when the requirements or the
    /// machine's Python have changed; otherwise this costs a few milliseconds.
    pub(crate) fn ensure(paths: &Paths) -> Result<Self> {
        Self::made(paths, &TOOLS)
    }

    /// The program that tries the API against its description.
    pub(crate) fn schemathesis(paths: &Paths) -> Result<PathBuf> {
        Ok(Self::made(paths, &SCHEMATHESIS)?.bin.join("schemathesis"))
    }

    /// The generator of clients, and what the generated Python client imports.
    pub(crate) fn clients(paths: &Paths) -> Result<Self> {
        Self::made(paths, &CLIENTS)
    }

    fn made(paths: &Paths, kind: &Kind) -> Result<Self> {
        fs::create_dir_all(&paths.tools)?;
        // Two runs at once would tread on each other.
        let lock = fs::File::create(paths.tools.join("lock"))?;
        lock.lock()?;
        let folder = paths.root.join("xtask");
        let venv = paths.tools.join(kind.venv);
        let stamp = paths.tools.join(kind.stamp);
        let wanted = format!(
            "{}{}{}",
            fs::read_to_string(folder.join(kind.requirements))?,
            fs::read_to_string(folder.join(kind.constraints))?,
            python()?,
        );
        let tools = Self { bin: venv.join("bin") };
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(tools);
        }
        // The stamp goes first and comes last: an interrupted run starts again.
        remove(&stamp)?;
        remove(&venv)?;
        make(&folder, &venv, kind, &paths.tools.join(kind.log))?;
        fs::write(&stamp, wanted)?;
        Ok(tools)
    }

    /// One of the tools, in an environment where they find each other.
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

    /// The environment's own Python, to run a script with an environment of its own.
    pub(crate) fn python(&self) -> PathBuf {
        self.bin.join("python")
    }
}

/// Which Python there is; fails with the remedy when it cannot make an environment.
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
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("ensurepip") || complaint.contains("venv") {
        bail!(
            "python3 cannot make virtual environments: a part of it is missing.\n  \
             Debian, Ubuntu: apt-get install python3-venv\n  (it said: {})",
            complaint.lines().last().unwrap_or_default()
        );
    }
    bail!("Python 3.10 or later is needed; python3 is {}{}", said.trim(), complaint.trim());
}

fn make(folder: &Path, venv: &Path, kind: &Kind, log: &Path) -> Result<()> {
    println!("Making the project's tools in .tools/{} (once; a minute or two) …", kind.venv);
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
    .arg(folder.join(kind.requirements))
    .arg("--constraint")
    .arg(folder.join(kind.constraints));
    process::run_quietly(&mut pip, log).context(
        "the tools could not be installed; is PyPI, or a mirror that pip is set up for, reachable?",
    )?;
    println!("The tools are ready after {} s.", start.elapsed().as_secs());
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
