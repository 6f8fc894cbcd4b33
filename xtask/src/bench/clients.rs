//! Runs the two compared programs: the `upload` function, as Lambda runs it, and rclone.
//!
//! Both upload a test file from the simulated S3 to the simulated OneDrive.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use docferry_domain::transfer::Transfer;
use serde_json::{Value, json};

use super::process::Program;
use super::runtime::RuntimeApi;
use super::stack::{BUCKET, BenchStack, S3_ACCESS_KEY_ID, TestFile, USER};
use crate::emulator::REGION;

/// Timeout of a run. A successful run takes less time.
const RUN_TIMEOUT: Duration = Duration::from_secs(900);
/// Time limit of an invocation: the default of the template parameter `UploadTimeoutSeconds`.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(300);
/// Maximum number of invocations of a transfer. A higher number would indicate an endless loop.
const MAX_INVOCATIONS: u32 = 100;

/// Measurements of one run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    /// Time from the start of the process to the end of the upload.
    pub(crate) took: Duration,
    /// Peak memory in bytes.
    pub(crate) peak_memory: u64,
    pub(crate) fragments: u64,
    /// Number of invocations of the `upload` function. It is 0 for rclone, which is not a function.
    pub(crate) invocations: u32,
}

/// Starts a new process of the `upload` function, and invokes it until it reports the end of the
/// upload. `endpoint` is the URL of the AWS emulator.
pub(crate) async fn docferry(
    stack: &BenchStack,
    test_file: &TestFile,
    endpoint: &str,
) -> Result<Run> {
    let id = format!("{:032x}", fastrand::u128(..));
    stack.put_item(&transfer_record(&id, test_file)?)?;
    let mut runtime = RuntimeApi::start().await?;
    let mut command = Command::new(stack.build.program(&stack.paths, "upload"));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .envs(stack.environment("upload", endpoint));
    let log = stack.file("upload.log");
    let program = Program::start(&mut command, &log)?;
    loop {
        let output = runtime
            .invoke(&json!({ "transferId": id, "attempt": 1 }), INVOCATION_TIMEOUT)
            .await
            .with_context(|| format!("see {}", log.display()))?;
        if output["done"] == true {
            break;
        }
        anyhow::ensure!(runtime.invocations() < MAX_INVOCATIONS, "too many invocations: {output}");
        let wait = output["waitSeconds"].as_u64().unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
    let (took, peak_memory) = (program.started.elapsed(), program.peak_memory());
    let invocations = runtime.invocations();
    verified_run(stack, test_file, took, peak_memory, invocations).await
}

/// Returns the record of a transfer whose next step is `upload`.
fn transfer_record(id: &str, test_file: &TestFile) -> Result<Value> {
    let (requested_at, deadline) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    let transfer: Transfer = serde_json::from_value(json!({
        "schemaVersion": 1, "transferId": id, "owner": "scv",
        "objectGuid": "3q2+7wAAAAAAAAAAAAAAAA==", "recipient": USER, "folder": "",
        "createdAt": requested_at, "deadline": deadline, "attempt": 1, "phase": "awaiting_arrival",
        // The transfer already holds its slot.
        "turn": "holding",
        "source": {
            "key": test_file.name, "name": test_file.name, "size": test_file.size,
            "requestedAt": requested_at, "pushedAt": requested_at,
        },
        "object": { "etag": test_file.etag, "arrivedAt": requested_at },
    }))
    .context("the benchmark's transfer record does not match the current format")?;
    let mut item = serde_json::to_value(transfer)?;
    item["pk"] = format!("T#{id}").into();
    item["sk"] = "META".into();
    item["phase"] = "uploading".into();
    Ok(item)
}

/// rclone, with a configuration for the simulated S3 and OneDrive.
#[derive(Debug)]
pub(crate) struct Rclone {
    pub(crate) program: PathBuf,
    pub(crate) config: PathBuf,
}

impl Rclone {
    /// Installs rclone if necessary, and writes its configuration.
    pub(crate) async fn new(stack: &BenchStack) -> Result<Self> {
        let program = crate::extras::RCLONE.ensure(&stack.paths, &stack.tools)?;
        let users = stack.admin(&stack.graph, "users").await?;
        let drive = users[0]["driveId"].as_str().context("the simulated Graph has no user")?;
        let secrets = &stack.secrets;
        let (graph, tenant) = (&stack.graph.service.url, &secrets.graph_tenant);
        let remotes = format!(
            "[exchange]\ntype = s3\nprovider = Other\nendpoint = {}\nregion = {REGION}\n\
             access_key_id = {S3_ACCESS_KEY_ID}\nsecret_access_key = unchecked\n\
             force_path_style = true\n\
             [drive]\ntype = onedrive\ndrive_type = business\ndrive_id = {drive}\n\
             client_credentials = true\nclient_id = {}\nclient_secret = {}\ntenant = {tenant}\n\
             token_url = {graph}/{tenant}/oauth2/v2.0/token\ntenant_url = {graph}/_api\n",
            stack.s3.service.url, secrets.graph_client_id, secrets.graph_client_secret,
        );
        let config = stack.file("rclone.conf");
        std::fs::write(&config, remotes)?;
        Ok(Self { program, config })
    }

    /// Uploads the file with a new process of rclone. `chunk` is the chunk size, or `None` for the
    /// default of rclone.
    pub(crate) async fn upload(
        &self,
        stack: &BenchStack,
        test_file: &TestFile,
        chunk: Option<&str>,
    ) -> Result<Run> {
        // rclone stores its access token in the configuration. With a new copy, each run requests a
        // new token, as a new process of `upload` does.
        let config = stack.file("rclone-run.conf");
        std::fs::copy(&self.config, &config)?;
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", stack.folder()).arg("--config").arg(&config);
        if let Some(chunk) = chunk {
            command.args(["--onedrive-chunk-size", chunk]);
        }
        command.args([
            "copyto",
            &format!("exchange:{BUCKET}/{}", test_file.name),
            &format!("drive:{}", test_file.name),
        ]);
        let log = stack.file("rclone.log");
        let program = Program::start(&mut command, &log)?;
        let (took, peak_memory) = program.finish(RUN_TIMEOUT, &log).await.context("rclone")?;
        let invocations = 0;
        verified_run(stack, test_file, took, peak_memory, invocations).await
    }
}

/// Checks that the whole file arrived, and returns the measurements.
async fn verified_run(
    stack: &BenchStack,
    test_file: &TestFile,
    took: Duration,
    peak_memory: u64,
    invocations: u32,
) -> Result<Run> {
    let file = stack.delivered(test_file).await?;
    let fragments = file["fragments"].as_u64().unwrap_or_default();
    Ok(Run { took, peak_memory, fragments, invocations })
}
