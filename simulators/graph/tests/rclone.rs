//! Judged by a client that nobody here wrote: rclone's `onedrive` backend.
//!
//! What only our own client has tried may be what only our own client believes.
//! These run when `DOCFERRY_RCLONE` names the program.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of tests fails the test, and says when one is left out"
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
use support::{Bench, UNIT, USER, bench_with};
use tempfile::TempDir;

const BOUND: Duration = Duration::from_secs(150);
const MB: usize = 1_000_000;

/// A simulator, and rclone with a remote that leads there.
struct Judge {
    program: PathBuf,
    bench: Bench,
    dir: TempDir,
}

/// What rclone made of a call.
#[derive(Debug)]
struct Verdict {
    status: ExitStatus,
    log: String,
}

impl Judge {
    /// `None`, and a line that says so, when there is no rclone.
    ///
    /// The simulator is as strict as it can be: upload URLs have their quote.
    async fn new() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("left out: DOCFERRY_RCLONE does not name an rclone");
            return None;
        };
        let config = Config { users: vec![USER.to_owned()], ..Config::default() };
        let judge = Self {
            program: program.into(),
            bench: bench_with(config).await,
            dir: TempDir::new().unwrap(),
        };
        let url = judge.bench.graph.url();
        let drive = judge.bench.admin("/users").await[0]["driveId"].clone();
        let remote = format!(
            "[graph]\ntype = onedrive\nclient_id = simulated-client\n\
             client_secret = simulated-secret\nclient_credentials = true\n\
             tenant = simulated-tenant\ntoken_url = {url}/simulated-tenant/oauth2/v2.0/token\n\
             tenant_url = {url}/_api\ndrive_id = {}\ndrive_type = business\n",
            drive.as_str().unwrap()
        );
        std::fs::write(judge.dir.path().join("rclone.conf"), remote).unwrap();
        Some(judge)
    }

    /// A file of made-up bytes; returns its SHA-256.
    fn file(&self, name: &str, size: usize, seed: u64) -> String {
        let mut out = BufWriter::new(File::create(self.dir.path().join(name)).unwrap());
        let mut sha256 = Sha256::new();
        let mut state = seed | 1;
        let mut left = size;
        while left > 0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bytes = &(state ^ (state >> 33)).to_le_bytes()[..left.min(8)];
            out.write_all(bytes).unwrap();
            sha256.update(bytes);
            left -= bytes.len();
        }
        out.flush().unwrap();
        sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// `rclone copyto`; one try of the whole, so that what it survives, it survives
    /// within that.
    async fn copy(&self, name: &str, destination: &str, more: &[&str]) -> Verdict {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .args(["--config", "rclone.conf", "--retries", "1", "--verbose"])
            .args(more)
            .args(["copyto", name, &format!("graph:{destination}")]);
        let log = self.dir.path().join("rclone.log");
        tokio::task::spawn_blocking(move || run(command, &log)).await.unwrap()
    }

    async fn files(&self) -> Vec<Value> {
        self.bench.admin("/files").await.as_array().unwrap().clone()
    }
}

/// The one setting of these tests.
fn program() -> Option<OsString> {
    std::env::var_os("DOCFERRY_RCLONE").filter(|path| !path.is_empty())
}

fn run(mut command: Command, log: &Path) -> Verdict {
    let file = File::create(log).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > BOUND {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Verdict { status, log: std::fs::read_to_string(log).unwrap() }
}

fn assert_success(verdict: &Verdict) {
    assert!(verdict.status.success(), "{}\n{}", verdict.status, verdict.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_uploads_files_of_every_size() {
    let Some(judge) = Judge::new().await else { return };
    for size in [0, 1, 4 * MB, 100 * MB] {
        let name = format!("{size}.bin");
        let sha256 = judge.file(&name, size, 7);
        let path = format!("Court/{size} bytes/Ōtāhuhu #3 50% + l'été.bin");
        assert_success(&judge.copy(&name, &path, &[]).await);
        let files = judge.files().await;
        let stored = files.iter().find(|file| file["path"] == path.as_str()).unwrap();
        assert_eq!(stored["sha256"], sha256.as_str());
        assert_eq!((&stored["size"], &stored["receivedBytes"]), (&json!(size), &json!(size)));
    }
}

/// 100 MB, in ten fragments of 10 MiB, arrive whole although every rule fires.
///
/// Rules come late in the upload: rclone slows down after each error and is fast
/// again only some fragments later.
async fn survives(rules: Value) {
    let Some(judge) = Judge::new().await else { return };
    let sha256 = judge.file("faulty.bin", 100 * MB, 9);
    judge.bench.fault(rules).await;
    assert_success(&judge.copy("faulty.bin", "faulty.bin", &[]).await);
    let files = judge.files().await;
    assert_eq!((files.len(), &files[0]["sha256"]), (1, &json!(sha256)));
    for rule in judge.bench.admin("/faults").await.as_array().unwrap() {
        assert_eq!(rule["fired"], 1, "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_waits_as_long_as_it_is_told_and_completes() {
    let start = Instant::now();
    survives(json!([
        { "operation": "token", "status": 503 },
        { "operation": "createSession", "status": 429, "retryAfter": 1 },
        { "operation": "fragment", "position": 8, "status": 503, "retryAfter": 1 },
    ]))
    .await;
    assert!(program().is_none() || start.elapsed() > Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_reset_in_the_body_of_a_fragment() {
    survives(json!({ "operation": "fragment", "position": 8, "resetAfter": 0.5 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_fragment_was_stored_though_an_error_came_back() {
    survives(json!({
        "operation": "fragment", "position": 8, "status": 500, "storeFraction": 1
    }))
    .await;
}

/// The part ends at a multiple of 320 KiB. After another one rclone sends the rest
/// of its fragment, of whatever length, which the contract does not allow.
#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_a_fragment_was_stored_in_part() {
    survives(json!({
        "operation": "fragment", "position": 8, "resetAfter": 0.5, "storeFraction": 0.25
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_completes_after_the_answer_to_a_fragment_was_lost() {
    survives(json!({ "operation": "fragment", "position": 8, "dropResponse": true })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_replaces_what_changed_and_leaves_what_did_not() {
    let Some(judge) = Judge::new().await else { return };
    judge.file("doc.bin", 3 * MB, 1);
    assert_success(&judge.copy("doc.bin", "doc.bin", &[]).await);
    let before = judge.files().await;
    assert_success(&judge.copy("doc.bin", "doc.bin", &[]).await);
    assert_eq!(judge.files().await, before, "the times of the file were kept");

    let sha256 = judge.file("doc.bin", 3 * MB, 2);
    assert_success(&judge.copy("doc.bin", "doc.bin", &["--checksum"]).await);
    let after = judge.files().await;
    assert_eq!((after.len(), &after[0]["versions"]), (1, &json!(2)));
    assert_eq!((&after[0]["sha256"], &after[0]["id"]), (&json!(sha256), &before[0]["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_is_refused_fragments_that_are_too_large() {
    let Some(judge) = Judge::new().await else { return };
    judge.file("large.bin", 192 * UNIT + 1, 5);
    let too_large = ["--onedrive-chunk-size", "60M"];
    let verdict = judge.copy("large.bin", "large.bin", &too_large).await;
    assert!(
        !verdict.status.success() && verdict.log.contains("smaller than 60 MiB"),
        "{verdict:?}"
    );
    assert_success(
        &judge.copy("large.bin", "large.bin", &["--onedrive-chunk-size", "57.5M"]).await,
    );
    assert_eq!(judge.files().await[0]["largestFragment"], 184 * UNIT);
    let sessions = judge.bench.admin("/sessions").await;
    let open = sessions.as_array().unwrap().iter().filter(|session| session["state"] == "open");
    assert_eq!(open.count(), 0, "rclone deletes the session it gives up");
}
