//! Tests of the Microsoft Graph simulator with an independent client: the `onedrive` backend of
//! rclone.
//!
//! A simulator that only our own client uses may misunderstand Graph in the same way as that
//! client. The tests run only when `DOCFERRY_RCLONE` contains the path of rclone.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test helpers panic on failure and report skipped tests"
)]

mod support;

use std::{
    ffi::OsString,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use docferry_sim_graph::Config;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Bench, FRAGMENT_UNIT, USER, start_bench_with};
use tempfile::TempDir;

/// Maximum run time of one rclone call.
const TIMEOUT: Duration = Duration::from_secs(150);
/// Number of bytes in a megabyte.
const MB: usize = 1_000_000;

/// A simulator, and an rclone whose remote points to it.
struct RcloneBench {
    program: PathBuf,
    bench: Bench,
    dir: TempDir,
}

/// Exit status and log of an rclone call.
#[derive(Debug)]
struct RcloneResult {
    status: ExitStatus,
    log: String,
}

impl RcloneBench {
    /// Returns `None` and prints a line if rclone is not available. The simulator's upload URLs
    /// contain a quote, as the real ones do.
    async fn new() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: DOCFERRY_RCLONE is not set");
            return None;
        };
        let config = Config { users: vec![USER.to_owned()], ..Config::default() };
        let setup = Self {
            program: program.into(),
            bench: start_bench_with(config).await,
            dir: TempDir::new().unwrap(),
        };
        let url = setup.bench.graph.url();
        let drive = setup.bench.get_admin("/users").await[0]["driveId"].clone();
        let remote = format!(
            "[graph]\ntype = onedrive\nclient_id = simulated-client\n\
             client_secret = simulated-secret\nclient_credentials = true\n\
             tenant = simulated-tenant\ntoken_url = {url}/simulated-tenant/oauth2/v2.0/token\n\
             tenant_url = {url}/_api\ndrive_id = {}\ndrive_type = business\n",
            drive.as_str().unwrap()
        );
        std::fs::write(setup.dir.path().join("rclone.conf"), remote).unwrap();
        Some(setup)
    }

    /// Writes a file of pseudo-random bytes and returns its SHA-256.
    fn write_random_file(&self, name: &str, size: usize, seed: u64) -> String {
        let mut out = BufWriter::new(File::create(self.dir.path().join(name)).unwrap());
        let mut sha256 = Sha256::new();
        let mut state = seed | 1;
        let mut remaining = size;
        while remaining > 0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bytes = &(state ^ (state >> 33)).to_le_bytes()[..remaining.min(8)];
            out.write_all(bytes).unwrap();
            sha256.update(bytes);
            remaining -= bytes.len();
        }
        out.flush().unwrap();
        sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Runs `rclone copyto` without retries of the whole copy, so that any recovery happens within
    /// the upload.
    async fn copy(&self, name: &str, destination: &str, extra_args: &[&str]) -> RcloneResult {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .args(["--config", "rclone.conf", "--retries", "1", "--verbose"])
            .args(extra_args)
            .args(["copyto", name, &format!("graph:{destination}")]);
        let log = self.dir.path().join("rclone.log");
        tokio::task::spawn_blocking(move || run(command, &log)).await.unwrap()
    }

    /// Returns the stored files, as the admin interface describes them.
    async fn files(&self) -> Vec<Value> {
        self.bench.get_admin("/files").await.as_array().unwrap().clone()
    }
}

/// Returns the path of rclone from `DOCFERRY_RCLONE`.
fn program() -> Option<OsString> {
    std::env::var_os("DOCFERRY_RCLONE").filter(|path| !path.is_empty())
}

/// Runs rclone and kills it after [`TIMEOUT`].
fn run(mut command: Command, log: &Path) -> RcloneResult {
    let file = File::create(log).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > TIMEOUT {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    RcloneResult { status, log: std::fs::read_to_string(log).unwrap() }
}

fn assert_success(result: &RcloneResult) {
    assert!(result.status.success(), "{}\n{}", result.status, result.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_uploads_files_of_every_size() {
    let Some(setup) = RcloneBench::new().await else { return };
    for size in [0, 1, 4 * MB, 100 * MB] {
        let name = format!("{size}.bin");
        let sha256 = setup.write_random_file(&name, size, 7);
        let path = format!("Court/{size} bytes/Ōtāhuhu #3 50% + l'été.bin");
        assert_success(&setup.copy(&name, &path, &[]).await);

        let files = setup.files().await;
        let stored = files.iter().find(|file| file["path"] == path.as_str()).unwrap();
        assert_eq!(stored["sha256"], sha256.as_str());
        assert_eq!((&stored["size"], &stored["receivedBytes"]), (&json!(size), &json!(size)));
    }
}

/// Checks that 100 MB, in ten fragments of 10 MiB, arrive intact although every rule fires.
///
/// The fault rules apply late in the upload, because rclone slows down after each error and speeds
/// up again only some fragments later.
async fn assert_upload_survives(rules: Value) {
    let Some(setup) = RcloneBench::new().await else { return };
    let sha256 = setup.write_random_file("faulty.bin", 100 * MB, 9);
    setup.bench.add_faults(rules).await;
    assert_success(&setup.copy("faulty.bin", "faulty.bin", &[]).await);
    let files = setup.files().await;
    assert_eq!((files.len(), &files[0]["sha256"]), (1, &json!(sha256)));
    for rule in setup.bench.get_admin("/faults").await.as_array().unwrap() {
        assert_eq!(rule["fired"], 1, "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_honors_retry_after_and_completes() {
    let start = Instant::now();
    assert_upload_survives(json!([
        { "operation": "token", "status": 503 },
        { "operation": "createSession", "status": 429, "retryAfter": 1 },
        { "operation": "fragment", "position": 8, "status": 503, "retryAfter": 1 },
    ]))
    .await;
    // Two of the rules make rclone wait for 1 s each. Without rclone, the upload is skipped.
    assert!(program().is_none() || start.elapsed() > Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_reset_during_a_fragment() {
    assert_upload_survives(json!({ "operation": "fragment", "position": 8, "resetAfter": 0.5 }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_an_error_for_a_stored_fragment() {
    assert_upload_survives(json!({
        "operation": "fragment", "position": 8, "status": 500, "storeFraction": 1
    }))
    .await;
}

/// The stored part ends at a multiple of 320 KiB. If it did not, rclone would send the rest of its
/// fragment with a length that Graph does not allow.
#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_partially_stored_fragment() {
    assert_upload_survives(json!({
        "operation": "fragment", "position": 8, "resetAfter": 0.5, "storeFraction": 0.25
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_lost_fragment_response() {
    assert_upload_survives(json!({ "operation": "fragment", "position": 8, "dropResponse": true }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_replaces_changed_files_and_skips_unchanged_ones() {
    let Some(setup) = RcloneBench::new().await else { return };
    setup.write_random_file("doc.bin", 3 * MB, 1);
    assert_success(&setup.copy("doc.bin", "doc.bin", &[]).await);

    let before = setup.files().await;
    assert_success(&setup.copy("doc.bin", "doc.bin", &[]).await);
    assert_eq!(setup.files().await, before, "an unchanged file must not be uploaded again");

    let sha256 = setup.write_random_file("doc.bin", 3 * MB, 2);
    assert_success(&setup.copy("doc.bin", "doc.bin", &["--checksum"]).await);
    let after = setup.files().await;
    assert_eq!((after.len(), &after[0]["versions"]), (1, &json!(2)));
    assert_eq!((&after[0]["sha256"], &after[0]["id"]), (&json!(sha256), &before[0]["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_gets_an_error_for_too_large_fragments() {
    let Some(setup) = RcloneBench::new().await else { return };
    // 192 units of 320 KiB are 60 MiB.
    setup.write_random_file("large.bin", 192 * FRAGMENT_UNIT + 1, 5);
    let too_large = ["--onedrive-chunk-size", "60M"];
    let result = setup.copy("large.bin", "large.bin", &too_large).await;
    assert!(!result.status.success() && result.log.contains("smaller than 60 MiB"), "{result:?}");
    assert_success(
        &setup.copy("large.bin", "large.bin", &["--onedrive-chunk-size", "57.5M"]).await,
    );
    assert_eq!(setup.files().await[0]["largestFragment"], 184 * FRAGMENT_UNIT);

    let sessions = setup.bench.get_admin("/sessions").await;
    let open = sessions.as_array().unwrap().iter().filter(|session| session["state"] == "open");
    assert_eq!(open.count(), 0, "rclone must delete the session that it abandons");
}
