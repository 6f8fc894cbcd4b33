//! Runs other programs.
//!
//! The functions wait until the program has ended. [`Background`] is a program that runs beside
//! this process. It is stopped by its process id, so that no other program can be stopped by
//! mistake.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Maximum time for a background program to exit after its input has closed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two checks whether a background program has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Number of words of a command line that are enough to identify it in an error message.
const DESCRIPTION_WORDS: usize = 4;

/// Runs a program that writes to the output of this process. Returns an error if the program fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{} failed ({status})", description(command));
    }
    Ok(())
}

/// Runs a program with its output in the file `log`. If the program fails, the error contains the
/// output.
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
        bail!(
            "{text}\n{} failed ({status}); its output is in {}",
            description(command),
            log.display()
        );
    }
    Ok(())
}

/// Runs a program with `input` on its standard input and returns its standard output.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
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
        bail!("{} failed ({})", description(command), output.status);
    }
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// Runs a program, copies its standard error to that of this process and passes each line to
/// `on_line`. Returns whether the program succeeded.
pub(crate) fn watch_stderr(command: &mut Command, on_line: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stderr(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    copy_lines(child.stderr.take(), std::io::stderr(), on_line)?;
    Ok(child.wait()?.success())
}

/// Runs a program, copies its standard output to that of this process and passes each line to
/// `on_line`. Returns whether the program succeeded.
pub(crate) fn watch_stdout(command: &mut Command, on_line: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    copy_lines(child.stdout.take(), std::io::stdout(), on_line)?;
    Ok(child.wait()?.success())
}

/// Copies each line of `source` to `target` and passes the line to `on_line`.
fn copy_lines(
    source: Option<impl Read>,
    mut target: impl Write,
    mut on_line: impl FnMut(&str),
) -> Result<()> {
    for line in source.into_iter().flat_map(|source| BufReader::new(source).lines()) {
        let line = line?;
        writeln!(target, "{line}")?;
        on_line(&line);
    }
    Ok(())
}

/// A background program that exits when its standard input closes.
///
/// The program also exits when this process is killed, because the operating system then closes the
/// pipe. Dropping this value closes the pipe and waits for the program to exit. A program that does
/// not exit within [`STOP_TIMEOUT`] is killed.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Background {
    /// Starts the program. The caller configures standard output and error.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the program's standard output. Returns `None` if the output is not piped, or if an
    /// earlier call has returned it.
    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Returns whether the program has exited.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        // This destructor cannot handle an error of either call.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Returns the beginning of the command line, for error messages.
fn description(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.take(DESCRIPTION_WORDS).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Returns the error message for a program that could not be started.
fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().to_string_lossy())
}
