//! Running other programs, and ending exactly those that were started.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Runs a program that speaks for itself, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{} failed ({status})", said(command));
    }
    Ok(())
}

/// Runs a program with its output in `log`, and shows that only when it fails.
pub(crate) fn run_quietly(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| cannot_start(command))?;
    if !status.success() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        bail!("{text}\n{} failed ({status}); its output is in {}", said(command), log.display());
    }
    Ok(())
}

/// Runs a program with `input` on its standard input and returns what it printed.
pub(crate) fn answer(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{} failed ({})", said(command), output.status);
    }
    String::from_utf8(output.stdout).context("the answer is not text")
}

/// Runs a program whose standard error passes by `each`, line by line; tells
/// whether it succeeded.
pub(crate) fn watch_stderr(command: &mut Command, each: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stderr(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    pass_on(child.stderr.take(), std::io::stderr(), each)?;
    Ok(child.wait()?.success())
}

/// The same for its standard output.
pub(crate) fn watch_stdout(command: &mut Command, each: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    pass_on(child.stdout.take(), std::io::stdout(), each)?;
    Ok(child.wait()?.success())
}

fn pass_on(from: Option<impl Read>, mut to: impl Write, mut each: impl FnMut(&str)) -> Result<()> {
    for line in from.into_iter().flat_map(|from| BufReader::new(from).lines()) {
        let line = line?;
        writeln!(to, "{line}")?;
        each(&line);
    }
    Ok(())
}

/// A program in the background that ends when its standard input closes.
///
/// So it also ends when this program is killed: the system closes the pipe.
/// Dropping it closes the pipe, waits, and kills by id what has not ended then.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Background {
    /// How long a program may take to end once its input has closed.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Starts it; standard output and error are the caller's to set.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, when that was piped; once.
    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let start = Instant::now();
        while start.elapsed() < Self::PATIENCE {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Neither can fail in a way that leaves anything to do.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn said(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    // The first words tell which it was; parameters would only be noise.
    words.take(4).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().to_string_lossy())
}
