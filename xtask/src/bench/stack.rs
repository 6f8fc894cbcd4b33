//! Environment of the benchmarks (`cargo xtask bench`).
//!
//! It consists of the AWS emulator, which stores the transfer records, and of simulators of S3 and
//! Microsoft Graph, whose bandwidth and latency a benchmark can set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::build::Build;
use crate::deploy::{Cloud, KeyPair};
use crate::emulator::{Emulator, REGION, credentials};
use crate::paths::Paths;
use crate::simulators::{self, Simulator};
use crate::stack::{Folder, Secrets, secret_values_by_name};
use crate::tools::Tools;

/// Owner of the simulated OneDrive to which the benchmarks upload.
pub(crate) const USER: &str = "ada@docferry.example";
/// Bucket of the simulated S3 with the test files.
pub(crate) const BUCKET: &str = "docferry-exchange";
/// Id of the access key for the simulated S3.
pub(crate) const S3_ACCESS_KEY_ID: &str = "bench-key";

/// Identifiers of the resources in the emulator, as `provision.py` prints them.
#[derive(Debug, Deserialize)]
pub(crate) struct ResourceIds {
    pub(crate) table: String,
    /// ARN of the KMS key that encrypts upload URLs.
    pub(crate) key: String,
    /// ARNs of the secrets, by their names in the template.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// A file that one run uploads. Its name is its key in the bucket and its path in the drive.
#[derive(Debug)]
pub(crate) struct TestFile {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
}

/// All processes that the benchmarks have started. Dropping this value stops them.
#[derive(Debug)]
pub(crate) struct BenchStack {
    pub(crate) build: Build,
    pub(crate) paths: Paths,
    pub(crate) tools: Tools,
    pub(crate) resources: ResourceIds,
    pub(crate) secrets: Secrets,
    pub(crate) graph: Simulator,
    pub(crate) s3: Simulator,
    pub(crate) emulator: Emulator,
    http: reqwest::Client,
    /// Number of created test files, from which the next name is made.
    test_files: AtomicU64,
    folder: Folder,
}

impl BenchStack {
    /// Starts the emulator and the simulators from binaries that are already built.
    pub(crate) fn start(paths: &Paths, tools: &Tools, build: Build) -> Result<Self> {
        let folder = Folder::lock(&paths.target.join("bench"))?;
        let wait_scale = 1.0;
        let emulator = Emulator::start(paths, tools, folder.path(), wait_scale)?;
        let secrets = Secrets::random();
        let cloud = Cloud { paths, tools, folder: folder.path(), endpoint: &emulator.url };
        let key = KeyPair {
            access_key_id: S3_ACCESS_KEY_ID.into(),
            secret_access_key: "unchecked".into(),
        };
        let mut values: BTreeMap<_, _> = secret_values_by_name(&secrets, &key).into();
        // On AWS, the template generates this secret.
        values.insert("Page", json!({ "pageKey": "bench" }));
        let resources = cloud.provision("bench", &json!({ "secrets": values }))?;
        let mut graph_command = Command::new(build.program(paths, "docferry-sim-graph"));
        graph_command.args(["--user", USER, "--forget-bytes"]);
        let graph = simulators::graph_from_command(graph_command, folder.path(), &secrets)?;
        let mut s3_command = Command::new(build.program(paths, "docferry-sim-s3"));
        s3_command.args(["--bucket", BUCKET, "--access-key", S3_ACCESS_KEY_ID]);
        let s3 = simulators::start(s3_command, "s3", folder.path())?;
        Ok(Self {
            build,
            paths: paths.clone(),
            tools: tools.clone(),
            resources,
            secrets,
            graph,
            s3,
            emulator,
            http: reqwest::Client::builder().no_proxy().build()?,
            test_files: AtomicU64::default(),
            folder,
        })
    }

    /// Returns the path of a file in the folder of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the bandwidth and latency of both simulators.
    pub(crate) async fn shape(&self, s3: &Value, graph: &Value) -> Result<()> {
        for (simulator, shape) in [(&self.s3, s3), (&self.graph, graph)] {
            let url = format!("{}/shape", simulator.service.admin);
            self.http.post(url).json(shape).send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// Adds a new object to the bucket and removes the data of earlier runs.
    pub(crate) async fn test_file(&self, size: u64) -> Result<TestFile> {
        for (simulator, resource) in [
            (&self.s3, "objects"),
            (&self.s3, "requests"),
            (&self.graph, "files"),
            (&self.graph, "requests"),
        ] {
            let url = format!("{}/{resource}", simulator.service.admin);
            self.http.delete(url).send().await?.error_for_status()?;
        }
        let name = format!("bench-{}.bin", self.test_files.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/objects/{name}?size={size}", self.s3.service.admin);
        let object: Value = self.http.put(url).send().await?.error_for_status()?.json().await?;
        let etag = object["etag"].as_str().context("the object has no ETag")?.to_owned();
        Ok(TestFile { name, size, etag })
    }

    /// Returns the uploaded file, as the simulated Graph describes it.
    pub(crate) async fn delivered(&self, test_file: &TestFile) -> Result<Value> {
        let files = self.admin(&self.graph, "files").await?;
        let delivered =
            files.as_array().into_iter().flatten().find(|file| {
                file["path"] == test_file.name.as_str() && file["size"] == test_file.size
            });
        delivered
            .cloned()
            .with_context(|| format!("{} did not arrive whole: {files}", test_file.name))
    }

    /// Returns the operations of the requests that a simulator has logged since the last call of
    /// [`Self::test_file`].
    pub(crate) async fn operations_of(&self, simulator: &Simulator) -> Result<Vec<String>> {
        let requests = self.admin(simulator, "requests").await?;
        let operation = |entry: &Value| entry["operation"].as_str().map(str::to_owned);
        Ok(requests.as_array().into_iter().flatten().filter_map(operation).collect())
    }

    /// Reads a resource of a simulator's admin interface.
    pub(crate) async fn admin(&self, simulator: &Simulator, path: &str) -> Result<Value> {
        let url = format!("{}/{path}", simulator.service.admin);
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Writes an item into the table.
    pub(crate) fn put_item(&self, item: &Value) -> Result<()> {
        let cloud = Cloud {
            paths: &self.paths,
            tools: &self.tools,
            folder: self.folder(),
            endpoint: &self.emulator.url,
        };
        let _output: Value =
            cloud.provision("item", &json!({ "table": self.resources.table, "item": item }))?;
        Ok(())
    }

    /// Returns the environment variables of a function. On AWS, Lambda and the template set them.
    pub(crate) fn environment(
        &self,
        function: &str,
        endpoint: &str,
    ) -> Vec<(&'static str, String)> {
        let secret = |name: &str| self.resources.secrets.get(name).cloned().unwrap_or_default();
        let graph = &self.graph.service.url;
        let mut environment = vec![
            ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("TRANSFERS_TABLE", self.resources.table.clone()),
            ("AUDIT_TABLE", self.resources.table.clone()),
            ("SESSION_KEY_ARN", self.resources.key.clone()),
            ("STATE_MACHINE_ARN", "arn:aws:states:ca-central-1:123456789012:stateMachine:b".into()),
            // The function needs these variables to start, but the benchmarks do not use their
            // values.
            ("DOCUMENTS_TABLE", "bench-documents".to_owned()),
            ("DELIVERY_BUCKET", "bench-delivery".to_owned()),
            ("AUDIT_QUEUE_URL", format!("{endpoint}/000000000000/bench-audit")),
            (
                "REGISTRY_DEAD_LETTER_QUEUE_URL",
                format!("{endpoint}/000000000000/bench-registry-dead"),
            ),
            ("WEBHOOK_QUEUE_URL", format!("{endpoint}/000000000000/bench-webhook")),
            ("WEBHOOK_SECRET_ARN", secret("Webhook")),
            ("PAGE_SECRET_ARN", secret("Page")),
            ("SCV_SECRET_ARN", secret("Scv")),
            ("ENVIRONMENT", "local".to_owned()),
            ("ORDS_BASE_URL", graph.clone()),
            ("ORDS_SECRET_ARN", secret("Ords")),
            ("ORDS_DATABASE_ID", "bench".to_owned()),
            ("ORDS_SERVER", "bench".to_owned()),
            ("GRAPH_BASE_URL", graph.clone()),
            ("GRAPH_AUTHORITY_URL", graph.clone()),
            ("GRAPH_TENANT_ID", self.secrets.graph_tenant.clone()),
            ("GRAPH_SECRET_ARN", secret("Graph")),
            ("EXCHANGE_BUCKET", BUCKET.to_owned()),
            ("EXCHANGE_REGION", REGION.to_owned()),
            ("EXCHANGE_ENDPOINT_URL", self.s3.service.url.clone()),
            ("EXCHANGE_PATH_STYLE", "true".to_owned()),
            ("EXCHANGE_SECRET_ARN", secret("Exchange")),
        ];
        environment.extend(credentials().map(|(name, value)| (name, value.to_owned())));
        environment
    }
}
