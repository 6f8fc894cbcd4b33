//! The whole service on a local cloud, from nothing to ready.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::binaries::{self, FUNCTIONS};
use crate::deploy::{Cloud, ENVIRONMENT, KeyPair, STACK_NAME};
use crate::emulator::{Emulator, REGION};
use crate::paths::Paths;
use crate::simulators::{self, Simulator};
use crate::tools::Tools;

const EXCHANGE_BUCKET: &str = "docferry-exchange";

/// Where everything is and how to get in; what `target/demo.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// Base URL of the API, with the stage.
    pub(crate) api: String,
    pub(crate) scv: Login,
    pub(crate) ords: Service,
    pub(crate) graph: Service,
    pub(crate) exchange: Exchange,
    /// Endpoint of the emulator; its root is the key pair test/test.
    pub(crate) emulator: String,
    /// Users of the simulated Graph, each with a OneDrive.
    pub(crate) users: Vec<String>,
    pub(crate) region: String,
    pub(crate) state_machine_arn: String,
    pub(crate) table: String,
    /// Names of the deployed functions, by what they are called in the source.
    pub(crate) functions: BTreeMap<String, String>,
    /// The emulator's process, when it is ours.
    pub(crate) emulator_pid: Option<u32>,
    /// The log files of this run, by program.
    pub(crate) logs: BTreeMap<String, PathBuf>,
    /// What must never be seen in a log, a history or an error.
    pub(crate) secrets: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// A simulator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) admin: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exchange {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    #[serde(flatten)]
    pub(crate) key: KeyPair,
}

/// How a stack is to be.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Folder under `target/` for logs and generated files.
    pub(crate) name: &'static str,
    /// An emulator that is running already; otherwise one is started.
    pub(crate) endpoint: Option<String>,
    /// What the pauses of the workflow are multiplied with.
    pub(crate) wait_scale: f64,
    /// Parameters of the template that differ from its defaults.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

impl Settings {
    /// As in life, but for what would make a spectator wait.
    pub(crate) fn demo() -> Self {
        Self {
            name: "demo",
            endpoint: None,
            wait_scale: 1.0,
            parameters: &[("UploadTimeoutSeconds", "60"), ("ArrivalDeadlineSeconds", "60")],
        }
    }

    /// With deadlines that a test can wait for.
    pub(crate) fn tests() -> Self {
        Self {
            name: "test-stack",
            endpoint: None,
            wait_scale: 0.2,
            parameters: &[
                ("UploadTimeoutSeconds", "10"),
                ("UploadDeadlineMarginSeconds", "3"),
                ("ArrivalDeadlineSeconds", "20"),
                ("OrdsTimeoutSeconds", "5"),
            ],
        }
    }
}

/// The secrets of one run, made up for it.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) scv_password: String,
    pub(crate) ords_username: String,
    pub(crate) ords_password: String,
    pub(crate) ords_application_id: String,
    pub(crate) ords_application_password: String,
    pub(crate) graph_tenant: String,
    pub(crate) graph_client_id: String,
    pub(crate) graph_client_secret: String,
}

impl Secrets {
    fn random() -> Self {
        let random = |kind: &str| {
            let letters: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
            format!("{kind}-{letters}")
        };
        Self {
            scv_password: random("scv"),
            ords_username: "docferry".to_owned(),
            ords_password: random("ords"),
            ords_application_id: "SCV".to_owned(),
            ords_application_password: random("app"),
            graph_tenant: "local-tenant".to_owned(),
            graph_client_id: "docferry-local".to_owned(),
            graph_client_secret: random("graph"),
        }
    }
}

/// The folder of a run, which no other run may use meanwhile.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _locked: File,
}

impl Folder {
    fn take(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("another run uses {}: wait for it, or end it", path.display());
        }
        Ok(Self { path: path.to_owned(), _locked: lock })
    }
}

/// A stack that is up; dropping it ends all that was started for it.
#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) stack: Stack,
    // In this order: the simulators' mover writes to the emulator.
    _simulators: [Simulator; 2],
    _emulator: Option<Emulator>,
    _folder: Folder,
}

impl Up {
    /// Writes the stack to a file that is removed when the returned guard is
    /// dropped: a file that tells of what no longer runs would mislead.
    pub(crate) fn write_to(&self, path: &Path) -> Result<Written> {
        fs::write(path, serde_json::to_string_pretty(&self.stack)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Written(path.to_owned()))
    }
}

/// A file that is there as long as this is.
#[derive(Debug)]
pub(crate) struct Written(PathBuf);

impl Written {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _already_gone = fs::remove_file(&self.0);
    }
}

/// Builds, starts the emulator and the simulators, deploys and configures.
pub(crate) fn up(paths: &Paths, settings: &Settings) -> Result<Up> {
    let start = Instant::now();
    let say = |what: &str| println!("[{:>3} s] {what}", start.elapsed().as_secs());
    let tools = Tools::ensure(paths)?;
    say("building functions and simulators …");
    binaries::build(paths)?;
    let staged = binaries::stage(paths)?;
    let folder = Folder::take(&paths.target.join(settings.name))?;
    let emulator = match &settings.endpoint {
        Some(_) => None,
        None => {
            say("starting the emulator …");
            Some(Emulator::start(paths, &tools, &folder.path, settings.wait_scale)?)
        }
    };
    let endpoint = match (&emulator, &settings.endpoint) {
        (Some(ours), _) => ours.url.clone(),
        (None, given) => given.clone().context("there is no emulator")?,
    };
    let endpoint = endpoint.trim_end_matches('/');
    let cloud = Cloud { paths, tools: &tools, folder: &folder.path, endpoint };
    let key =
        cloud.prepare(EXCHANGE_BUCKET).context("the emulator does not answer as it should")?;
    let secrets = Secrets::random();
    let users = ["ada@docferry.example", "grace@docferry.example", "o'neil+files@docferry.example"]
        .map(str::to_owned)
        .to_vec();
    let graph = simulators::graph(paths, &folder.path, &secrets, &users)?;
    let ords = simulators::ords(paths, &folder.path, &secrets, (endpoint, EXCHANGE_BUCKET, &key))?;
    say("deploying …");
    let wanted = parameters(settings, &secrets, endpoint, &ords.service, &graph.service);
    let outputs = cloud.deploy(&staged, &wanted)?;
    cloud.put_secrets(&values(&outputs, &secrets, &key)?)?;
    say("ready");
    let exchange =
        Exchange { endpoint: endpoint.to_owned(), bucket: EXCHANGE_BUCKET.to_owned(), key };
    let mut logs: BTreeMap<_, _> = ["ords", "graph"]
        .map(|name| (name.to_owned(), folder.path.join(format!("{name}.log"))))
        .into();
    logs.extend(emulator.as_ref().map(|ours| ("emulator".to_owned(), ours.log.clone())));
    let stack = Stack {
        api: format!("{endpoint}/_aws/execute-api/{}/{ENVIRONMENT}", output(&outputs, "ApiId")?),
        scv: Login { username: "scv".to_owned(), password: secrets.scv_password.clone() },
        ords: ords.service.clone(),
        graph: graph.service.clone(),
        emulator: endpoint.to_owned(),
        users,
        region: REGION.to_owned(),
        state_machine_arn: output(&outputs, "StateMachineArn")?.to_owned(),
        table: output(&outputs, "TransfersTable")?.to_owned(),
        functions: FUNCTIONS.map(|name| (name.to_owned(), format!("{STACK_NAME}-{name}"))).into(),
        emulator_pid: emulator.as_ref().map(Emulator::id),
        logs,
        secrets: vec![
            secrets.scv_password,
            secrets.ords_password,
            secrets.ords_application_password,
            secrets.graph_client_secret,
            exchange.key.secret_access_key.clone(),
        ],
        exchange,
    };
    Ok(Up { stack, _simulators: [graph, ords], _emulator: emulator, _folder: folder })
}

fn parameters<'a>(
    settings: &Settings,
    secrets: &Secrets,
    endpoint: &str,
    ords: &Service,
    graph: &Service,
) -> Vec<(&'a str, String)> {
    let mut parameters = vec![
        ("Environment", ENVIRONMENT.to_owned()),
        ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }.to_owned()),
        ("EmulatorGatewayResponses", "true".to_owned()),
        ("LogRetentionDays", "1".to_owned()),
        ("OrdsBaseUrl", ords.url.clone()),
        ("OrdsDatabaseId", "local".to_owned()),
        ("OrdsServer", "local".to_owned()),
        ("GraphBaseUrl", graph.url.clone()),
        ("GraphAuthorityUrl", graph.url.clone()),
        ("GraphTenantId", secrets.graph_tenant.clone()),
        ("ExchangeBucket", EXCHANGE_BUCKET.to_owned()),
        ("ExchangeRegion", REGION.to_owned()),
        ("ExchangeEndpointUrl", endpoint.to_owned()),
        ("ExchangePathStyle", "true".to_owned()),
        ("CreateExchangeBucket", "true".to_owned()),
    ];
    parameters.extend(settings.parameters.iter().map(|(name, value)| (*name, (*value).to_owned())));
    parameters
}

/// The secrets' values under their ARNs, in the form that the functions read.
fn values<'a>(
    outputs: &'a BTreeMap<String, String>,
    secrets: &Secrets,
    key: &KeyPair,
) -> Result<BTreeMap<&'a str, serde_json::Value>> {
    Ok(BTreeMap::from([
        (
            output(outputs, "ScvSecretArn")?,
            json!({ "username": "scv", "password": secrets.scv_password }),
        ),
        (
            output(outputs, "OrdsSecretArn")?,
            json!({
                "username": secrets.ords_username,
                "password": secrets.ords_password,
                "applicationId": secrets.ords_application_id,
                "applicationPassword": secrets.ords_application_password,
                "accountName": "docferry",
            }),
        ),
        (
            output(outputs, "GraphSecretArn")?,
            json!({ "clientId": secrets.graph_client_id, "clientSecret": secrets.graph_client_secret }),
        ),
        (output(outputs, "ExchangeSecretArn")?, json!(key)),
    ]))
}

fn output<'a>(outputs: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output {name}"))
}
