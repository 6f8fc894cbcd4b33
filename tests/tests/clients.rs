//! Tests of the clients that openapi-generator creates from `openapi.yaml`.
//!
//! The programs in `tests/clients/` make a series of calls with the clients for Python,
//! TypeScript and Rust, and print the results. For Java, C# and Go the tests check the
//! generated sources. The tests run only if `DOCFERRY_CLIENTS` names the folder of the
//! clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use docferry_system_tests::{Identity, Sandbox};
use serde_json::{Value, json};

const SIZE: u64 = 100_000;

/// A size that does not fit into 32 bits.
const LARGE: u64 = 5_000_000_000;

/// Returns the folder of a client. If there are no clients, prints that the test is skipped
/// and returns `None`.
fn client(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("DOCFERRY_CLIENTS").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: DOCFERRY_CLIENTS is not set");
        return None;
    };
    let folder = Path::new(&folder).join(name);
    if let Ok(failure) = fs::read_to_string(folder.join("failure.txt")) {
        panic!("{failure}");
    }
    Some(folder)
}

fn variable(name: &str) -> std::ffi::OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} must be set with DOCFERRY_CLIENTS"))
}

/// Creates a document of `size` bytes with a unique number and name.
async fn document(sandbox: &Sandbox, size: u64, more: &[(&str, &str)]) -> (u64, Sandbox) {
    let number = fastrand::u64(1_000_000..100_000_000);
    let file_name = format!("{}-{number}.pdf", sandbox.tag);
    let single = Sandbox { file_name, ..sandbox.another_document() };
    let document = single.document_with(size, more).await;
    sandbox.cloud.index(number, &document.guid).await;
    (number, single)
}

/// Runs a program that makes the series of calls, and checks its output.
async fn finishes_its_round(mut program: Command) {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let token = identity.token_of(&sandbox.tag, "docferry.read docferry.write").await;
    let (file, _) = document(&sandbox, SIZE, &[]).await;
    let (slow_file, _) = document(&sandbox, SIZE, &[("moverDelayMs", "20000")]).await;
    let large_file = fastrand::u64(1_000_000..100_000_000);
    sandbox.cloud.index_with_size(large_file, &sandbox.guid, LARGE).await;
    let (_, sent) = document(&sandbox, SIZE, &[]).await;
    let scv = &sandbox.stack.scv;
    let round = json!({
        "api": sandbox.stack.api,
        "username": scv.username,
        "password": scv.password,
        "token": token,
        "file": file,
        "slowFile": slow_file,
        "largeFile": large_file,
        "guid": sent.guid,
        "email": sent.email,
    });
    program.env("DOCFERRY_ROUND", round.to_string()).env("NO_PROXY", "*").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut printed: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let url = printed["url"].take();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetched = client.get(url.as_str().unwrap()).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap().len() as u64, SIZE);
    let expected = json!({
        "health": "healthy",
        "large": { "available": true, "size": LARGE },
        "job": { "status": "completed", "progress": 100, "bytesTotal": SIZE },
        "detail": { "percent": 100, "bytesDone": SIZE, "phase": "completed" },
        "url": null,
        "early": { "status": 409, "code": "NOT_COMPLETED", "pointer": null },
        "canceling": "canceling",
        "canceled": "canceled",
        "again": { "status": 409, "code": "CONFLICT", "pointer": null },
        "history": true,
        "invalid": { "status": 400, "code": "INVALID_REQUEST", "pointer": "/file_id" },
        "unknown": { "status": 404, "code": "NOT_FOUND", "pointer": null },
        "transfer": { "percent": 100, "error": false, "fileSize": SIZE },
        "stopped": "success",
    });
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn generated_python_client_completes_all_calls() {
    let Some(folder) = client("python") else { return };
    let mut program = Command::new(variable("DOCFERRY_CLIENTS_PYTHON"));
    program.arg(folder.join("round.py")).env("PYTHONPATH", folder.join("client"));
    program.env("PYTHONDONTWRITEBYTECODE", "1");
    finishes_its_round(program).await;
}

#[tokio::test]
async fn generated_typescript_client_completes_all_calls() {
    let Some(folder) = client("typescript") else { return };
    let mut program = Command::new(variable("DOCFERRY_NODE"));
    program.arg(folder.join("out/round.js")).env_remove("NODE_OPTIONS");
    finishes_its_round(program).await;
}

#[tokio::test]
async fn generated_rust_client_completes_all_calls() {
    let Some(folder) = client("rust") else { return };
    finishes_its_round(Command::new(folder.join("round"))).await;
}

/// Fails unless the file contains each of the texts. White space between words may differ.
fn assert_has(file: &Path, texts: &[&str]) {
    let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in texts {
        assert!(source.contains(text), "{} does not contain `{text}`", file.display());
    }
}

#[test]
fn generated_java_client_has_long_sizes_and_typed_progress() {
    let Some(folder) = client("java") else { return };
    let models = folder.join("client/src/main/java/org/openapitools/client/model");
    assert_has(&models.join("TransferStatus.java"), &["private Long fileSize;"]);
    assert_has(&models.join("FileChecked.java"), &["private Long fileId;", "private Long size;"]);
    assert_has(
        &models.join("JobItem.java"),
        &["private Long fileId;", "private Long bytesDone;", "private Long bytesTotal;"],
    );
    assert_has(&models.join("JobStatus.java"), &["private Progress progress;"]);
    let alternatives = ["public Integer getInteger()", "public ProgressDetail getProgressDetail()"];
    assert_has(&models.join("Progress.java"), &alternatives);
    assert_has(
        &models.join("ProgressDetail.java"),
        &["private Long bytesDone;", "private Long bytesTotal;", "private Long bytesPerSecond;"],
    );
    // A member that a later version adds is kept and cause_chain no error.
    assert_has(&models.join("JobStatus.java"), &["Map<String, Object> additionalProperties"]);
}

#[test]
fn generated_csharp_client_has_long_sizes_and_typed_progress() {
    let Some(folder) = client("csharp") else { return };
    let models = folder.join("client/src/Org.OpenAPITools/Model");
    assert_has(&models.join("TransferStatus.cs"), &["public long FileSize {"]);
    assert_has(&models.join("FileChecked.cs"), &["public long FileId {", "public long Size {"]);
    assert_has(
        &models.join("JobItem.cs"),
        &["public long? FileId {", "public long BytesDone {", "public long? BytesTotal {"],
    );
    assert_has(&models.join("JobStatus.cs"), &["public Progress Progress {"]);
    assert_has(
        &models.join("Progress.cs"),
        &[
            "public int GetInt()",
            "public ProgressDetail GetProgressDetail()",
            "case JsonToken.Integer:",
        ],
    );
    assert_has(
        &models.join("ProgressDetail.cs"),
        &["public long BytesDone {", "public long? BytesTotal {", "public long? BytesPerSecond {"],
    );
}

#[test]
fn generated_go_client_has_int64_sizes_and_typed_progress() {
    let Some(folder) = client("go") else { return };
    let folder = folder.join("client");
    assert_has(&folder.join("model_transfer_status.go"), &["FileSize int64"]);
    assert_has(&folder.join("model_file_checked.go"), &["FileId int64", "Size *int64"]);
    assert_has(&folder.join("model_job_status.go"), &["Progress Progress"]);
    assert_has(
        &folder.join("model_progress.go"),
        &["Int32 *int32", "ProgressDetail *ProgressDetail"],
    );
    assert_has(
        &folder.join("model_progress_detail.go"),
        &["BytesDone int64", "BytesTotal NullableInt64", "BytesPerSecond NullableInt64"],
    );
}
