//! Starts and stops the AWS emulator: a MiniStack process, which serves as the local cloud.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::process::Background;
use crate::tools::Tools;

/// AWS region of the emulator.
pub(crate) const REGION: &str = "ca-central-1";
/// Maximum start-up time. A start takes one or two seconds, and up to 20 seconds on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two health checks during the start-up.
const HEALTH_INTERVAL: Duration = Duration::from_millis(50);
/// Timeout of one health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// A running emulator. Dropping it stops the emulator and all functions that it runs.
#[derive(Debug)]
pub(crate) struct Emulator {
    process: Background,
    pub(crate) url: String,
    pub(crate) log: PathBuf,
}

impl Emulator {
    /// Starts the emulator on a free port. `folder` receives the log and temporary files of the
    /// emulator. `wait_scale` is the factor by which the emulator multiplies the waiting times of
    /// state machines.
    ///
    /// The emulator enforces IAM: it denies a call for which the role lacks the permission, as AWS
    /// does.
    pub(crate) fn start(
        paths: &Paths,
        tools: &Tools,
        folder: &Path,
        wait_scale: f64,
    ) -> Result<Self> {
        let scratch = folder.join("tmp");
        // An earlier, killed run may have left this folder. No other run uses it, because the run's
        // folder is locked.
        let _may_not_exist = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch)?;
        let log = folder.join("emulator.log");
        let output = File::create(&log)?;
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(tools.python());
        command
            .arg(paths.root.join("xtask/emulator/launch.py"))
            .current_dir(folder)
            // Functions inherit the environment of the emulator, so it must not contain variables
            // of this process.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", folder)
            .env("TMPDIR", &scratch)
            .env("LC_ALL", "C.UTF-8")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", "true")
            .env("SFN_WAIT_SCALE", wait_scale.to_string())
            // An idle execution environment ends after this time, because it needs a process and
            // four threads of the emulator that poll ten times a second.
            .env("LAMBDA_WARM_TTL_SECONDS", "20")
            .env("IOT_MTLS_ENABLED", "0")
            .env("MINISTACK_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &url)
            .envs(credentials())
            .stdout(output.try_clone()?)
            .stderr(output)
            // In a separate process group, the emulator does not receive Ctrl-C. This process
            // receives it, cleans up and then stops the emulator.
            .process_group(0);
        let mut emulator = Self { process: Background::start(&mut command)?, url, log };
        emulator.wait_until_healthy(port)?;
        Ok(emulator)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_healthy(&mut self, port: u16) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            if self.process.has_ended() {
                bail!("the emulator exited during start-up; see {}", self.log.display());
            }
            if is_healthy(address).unwrap_or(false) {
                return Ok(());
            }
            std::thread::sleep(HEALTH_INTERVAL);
        }
        bail!("the emulator did not answer within {START_TIMEOUT:?}; see {}", self.log.display())
    }
}

/// Returns whether the emulator's health check succeeds. The HTTP request is minimal and is written
/// by hand, so that this synchronous code needs no HTTP client.
fn is_healthy(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTH_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
    stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    // The response begins with 12 bytes such as `HTTP/1.0 200`.
    let mut status_line_start = [0; 12];
    stream.read_exact(&mut status_line_start)?;
    Ok(status_line_start.ends_with(b" 200"))
}

/// Returns environment variables with the emulator's root credentials. They override the AWS
/// configuration of this machine.
pub(crate) fn credentials() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
    ]
}

/// Returns a free port. Another program may take the port before the emulator does. The emulator
/// then reports this and exits.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
