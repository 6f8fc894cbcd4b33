//! Tests of the API clients that openapi-generator creates from `openapi.yaml`.
//!
//! For Python, TypeScript and Rust, the programs in `tests/clients/` use the generated clients: each
//! program makes a fixed series of calls, the round, and prints the results. For Java, C# and Go
//! the tests check the generated sources. The tests run only if `DOCFERRY_CLIENTS` names the folder
//! of the generated clients.
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

use docferry_system_tests::{Identity, Sandbox, random_file_id};
use serde_json::{Value, json};

/// Size in bytes of the documents that the round downloads.
const DOCUMENT_SIZE: u64 = 100_000;

/// Document size in bytes that does not fit into 32 bits.
const LARGE_SIZE: u64 = 5_000_000_000;

/// Returns the folder of a generated client. If no clients were generated, prints that the test is
/// skipped and returns `None`.
fn client_folder(name: &str) -> Option<PathBuf> {
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

/// Returns a required environment variable.
fn variable(name: &str) -> std::ffi::OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} must be set with DOCFERRY_CLIENTS"))
}

/// Creates the documents for a round. Returns the input of the program that makes the round.
async fn round_input() -> Value {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let token =
        identity.token_of(&sandbox.tag, "docferry.read docferry.write docferry.documents").await;
    let (file_id, _) = sandbox.with_suffix("job").indexed_document(DOCUMENT_SIZE, &[]).await;
    let slow_sandbox = sandbox.with_suffix("slow");
    let (slow_file_id, _) =
        slow_sandbox.indexed_document(DOCUMENT_SIZE, &[("moverDelayMs", "20000")]).await;
    let large_file_id = random_file_id();
    sandbox.cloud.index_document_with_size(large_file_id, &sandbox.guid, LARGE_SIZE).await;
    let transfer_sandbox = sandbox.with_suffix("transfer");
    transfer_sandbox.document(DOCUMENT_SIZE).await;
    let scv = &sandbox.stack.scv;
    json!({
        "api": sandbox.stack.api,
        "username": scv.username,
        "password": scv.password,
        "token": token,
        "file": file_id,
        "slowFile": slow_file_id,
        "largeFile": large_file_id,
        "guid": transfer_sandbox.guid,
        "email": transfer_sandbox.email,
    })
}

/// Runs a program that makes the round, and checks the results that it prints.
async fn assert_round_succeeds(mut program: Command) {
    let input = round_input().await.to_string();
    program.env("DOCFERRY_ROUND", input).env("NO_PROXY", "*").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut printed: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let url = printed["url"].take();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetched = client.get(url.as_str().unwrap()).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap().len() as u64, DOCUMENT_SIZE);
    let expected = json!({
        "health": "healthy",
        "large": { "available": true, "size": LARGE_SIZE },
        "job": { "status": "completed", "progress": 100, "bytesTotal": DOCUMENT_SIZE },
        "detail": { "percent": 100, "bytesDone": DOCUMENT_SIZE, "phase": "completed" },
        "url": null,
        "earlyFetch": { "status": 409, "code": "NOT_COMPLETED", "pointer": null },
        "canceling": "canceling",
        "canceled": "canceled",
        "repeatedCancel": { "status": 409, "code": "CONFLICT", "pointer": null },
        "history": true,
        "invalid": { "status": 400, "code": "INVALID_REQUEST", "pointer": "/file_id" },
        "unknown": { "status": 404, "code": "NOT_FOUND", "pointer": null },
        "transfer": { "percent": 100, "error": false, "fileSize": DOCUMENT_SIZE },
        "stopped": "success",
    });
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn generated_python_client_completes_all_calls() {
    let Some(folder) = client_folder("python") else { return };
    let mut program = Command::new(variable("DOCFERRY_CLIENTS_PYTHON"));
    program.arg(folder.join("round.py")).env("PYTHONPATH", folder.join("client"));
    program.env("PYTHONDONTWRITEBYTECODE", "1");
    assert_round_succeeds(program).await;
}

#[tokio::test]
async fn generated_typescript_client_completes_all_calls() {
    let Some(folder) = client_folder("typescript") else { return };
    let mut program = Command::new(variable("DOCFERRY_NODE"));
    program.arg(folder.join("out/round.js")).env_remove("NODE_OPTIONS");
    assert_round_succeeds(program).await;
}

#[tokio::test]
async fn generated_rust_client_completes_all_calls() {
    let Some(folder) = client_folder("rust") else { return };
    assert_round_succeeds(Command::new(folder.join("round"))).await;
}

/// Fails unless the file contains each of the texts. Differences in white space do not matter.
fn assert_file_contains(file: &Path, texts: &[&str]) {
    let source =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in texts {
        assert!(source.contains(text), "{} does not contain `{text}`", file.display());
    }
}

#[test]
fn generated_java_client_has_long_sizes_and_typed_progress() {
    let Some(folder) = client_folder("java") else { return };
    let models = folder.join("client/src/main/java/org/openapitools/client/model");
    assert_file_contains(&models.join("TransferStatus.java"), &["private Long fileSize;"]);
    assert_file_contains(
        &models.join("FileChecked.java"),
        &["private Long fileId;", "private Long size;"],
    );
    assert_file_contains(
        &models.join("JobItem.java"),
        &["private Long fileId;", "private Long bytesDone;", "private Long bytesTotal;"],
    );
    assert_file_contains(&models.join("JobStatus.java"), &["private Progress progress;"]);

    let alternatives = ["public Integer getInteger()", "public ProgressDetail getProgressDetail()"];
    assert_file_contains(&models.join("Progress.java"), &alternatives);
    assert_file_contains(
        &models.join("ProgressDetail.java"),
        &["private Long bytesDone;", "private Long bytesTotal;", "private Long bytesPerSecond;"],
    );
    // The client stores unknown members here, so members of later versions cause no error.
    assert_file_contains(
        &models.join("JobStatus.java"),
        &["Map<String, Object> additionalProperties"],
    );
}

#[test]
fn generated_csharp_client_has_long_sizes_and_typed_progress() {
    let Some(folder) = client_folder("csharp") else { return };
    let models = folder.join("client/src/Org.OpenAPITools/Model");
    assert_file_contains(&models.join("TransferStatus.cs"), &["public long FileSize {"]);
    assert_file_contains(
        &models.join("FileChecked.cs"),
        &["public long FileId {", "public long Size {"],
    );
    assert_file_contains(
        &models.join("JobItem.cs"),
        &["public long? FileId {", "public long BytesDone {", "public long? BytesTotal {"],
    );
    assert_file_contains(&models.join("JobStatus.cs"), &["public Progress Progress {"]);
    assert_file_contains(
        &models.join("Progress.cs"),
        &[
            "public int GetInt()",
            "public ProgressDetail GetProgressDetail()",
            "case JsonToken.Integer:",
        ],
    );
    assert_file_contains(
        &models.join("ProgressDetail.cs"),
        &["public long BytesDone {", "public long? BytesTotal {", "public long? BytesPerSecond {"],
    );
}

#[test]
fn generated_go_client_has_int64_sizes_and_typed_progress() {
    let Some(folder) = client_folder("go") else { return };
    let folder = folder.join("client");
    assert_file_contains(&folder.join("model_transfer_status.go"), &["FileSize int64"]);
    assert_file_contains(&folder.join("model_file_checked.go"), &["FileId int64", "Size *int64"]);
    assert_file_contains(&folder.join("model_job_status.go"), &["Progress Progress"]);
    assert_file_contains(
        &folder.join("model_progress.go"),
        &["Int32 *int32", "ProgressDetail *ProgressDetail"],
    );
    assert_file_contains(
        &folder.join("model_progress_detail.go"),
        &["BytesDone int64", "BytesTotal NullableInt64", "BytesPerSecond NullableInt64"],
    );
}
