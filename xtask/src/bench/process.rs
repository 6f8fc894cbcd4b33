//! Starts a measured program, reads its memory use and stops it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Interval at which the peak memory is read. It is short, because the operating system discards
/// the value when the process ends.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running program. Dropping this value kills the program.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) started: Instant,
}

impl Program {
    /// Starts a program that writes its output to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, started })
    }

    /// Returns the peak memory so far in bytes, or 0 if the system has no `/proc`.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Returns the current memory in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Reads a field of `/proc/PID/status`, in bytes.
    fn memory(&self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kibibytes.unwrap_or(0_u64) * 1024
    }

    /// Waits until the program ends. Returns its run time and its peak memory, or an error if the
    /// program failed or did not end in time.
    pub(crate) async fn finish(mut self, timeout: Duration, log: &Path) -> Result<(Duration, u64)> {
        let mut peak = 0;
        while self.started.elapsed() < timeout {
            if let Some(status) = self.child.try_wait()? {
                let took = self.started.elapsed();
                if !status.success() {
                    let output = fs::read_to_string(log).unwrap_or_default();
                    bail!("{output}\nthe program failed ({status})");
                }
                return Ok((took, peak));
            }
            peak = peak.max(self.peak_memory());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        bail!("the program was still running after {timeout:?}; see {}", log.display())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // This destructor cannot handle an error of either call.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
