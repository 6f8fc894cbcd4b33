//! Programs under test: ended by their id, and looked at while they run.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Often enough that the peak of a program that ends by itself is not missed: the
/// system forgets it with the process.
const LOOK: Duration = Duration::from_millis(5);

/// A running program; dropping it kills it, so that nothing stays whatever happens.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) started: Instant,
}

impl Program {
    /// Starts it with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, started })
    }

    /// The most memory it had so far, in bytes; 0 where there is no `/proc`.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that it has now, in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kibibytes.unwrap_or(0_u64) * 1024
    }

    /// Waits until it has ended well; tells how long that took and the most memory
    /// it had.
    pub(crate) async fn finish(mut self, bound: Duration, log: &Path) -> Result<(Duration, u64)> {
        let mut peak = 0;
        while self.started.elapsed() < bound {
            if let Some(status) = self.child.try_wait()? {
                let took = self.started.elapsed();
                if !status.success() {
                    let said = fs::read_to_string(log).unwrap_or_default();
                    bail!("{said}\nit failed ({status})");
                }
                return Ok((took, peak));
            }
            peak = peak.max(self.peak_memory());
            tokio::time::sleep(LOOK).await;
        }
        bail!("it had not ended after {bound:?}; see {}", log.display())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Neither can fail in a way that leaves anything to do.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
