//! Runs the local cloud: a MiniStack process that this program starts and stops.

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

/// Region of the local cloud.
pub(crate) const REGION: &str = "ca-central-1";
/// Maximum start-up time. A cold start takes a second or two, and ten times that on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running emulator. Dropping it stops the emulator and all functions that it runs.
#[derive(Debug)]
pub(crate) struct Emulator {
    process: Background,
    pub(crate) url: String,
    pub(crate) log: PathBuf,
}

impl Emulator {
    /// Starts the emulator on a free port. `folder` receives its log and temporary files.
    ///
    /// IAM is enforced: a permission that a role lacks is denied as it would be on AWS.
    pub(crate) fn start(
        paths: &Paths,
        tools: &Tools,
        folder: &Path,
        wait_scale: f64,
    ) -> Result<Self> {
        let scratch = folder.join("tmp");
        // A killed run may have left the folder behind. The run lock ensures that no other run uses
        // it.
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
            // Functions inherit the emulator's environment, so it starts with an empty one.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", folder)
            .env("TMPDIR", &scratch)
            .env("LC_ALL", "C.UTF-8")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", "true")
            .env("SFN_WAIT_SCALE", wait_scale.to_string())
            // Each idle environment costs a process, and four emulator threads that poll ten times
            // a second.
            .env("LAMBDA_WARM_TTL_SECONDS", "20")
            .env("IOT_MTLS_ENABLED", "0")
            .env("MINISTACK_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &url)
            .envs(credentials())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A separate process group: Ctrl-C reaches only this program, which stops the emulator
            // after cleaning up.
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
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the emulator did not answer within {START_TIMEOUT:?}; see {}", self.log.display())
    }
}

/// Sends a minimal HTTP request. A client library would be out of proportion here.
fn is_healthy(address: SocketAddr) -> std::io::Result<bool> {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}

/// Returns the emulator's root credentials, which override the machine's configuration.
pub(crate) fn credentials() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
    ]
}

/// Returns a free port. Another program may take it before the emulator does; the emulator then
/// reports that and exits.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
