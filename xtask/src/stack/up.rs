//! Starts and stops a local stack: the AWS emulator, the simulators of the other services, and the
//! project, which is deployed to the emulator. The demo, the system tests and `cargo xtask stack`
//! call [`up`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use url::Url;

use super::addresses::{Exchange, Login, Oidc, Stack};
use super::settings::{
    EXCHANGE_BUCKET, Secrets, Settings, output, parameters, secret_values_by_arn,
};
use crate::binaries::{self, FUNCTIONS};
use crate::deploy::{Cloud, ENVIRONMENT, STACK_NAME};
use crate::emulator::{Emulator, REGION};
use crate::paths::Paths;
use crate::simulators::{self, Simulator};
use crate::tools::PendingTools;

/// Maximum time for a running emulator to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Users of the simulated services. The name of the third user needs correct URL encoding.
const USERS: [&str; 3] =
    ["ada@docferry.example", "grace@docferry.example", "o'neil+files@docferry.example"];

/// Folder with the logs and generated files of a run. A lock prevents that two runs use the folder
/// at the same time.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder if necessary and locks it. Returns an error if another run has locked it.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("another run uses {}: wait until it ends, or stop it", path.display());
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

/// A running stack. Dropping it stops everything that was started for it.
#[derive(Debug)]
pub(crate) struct RunningStack {
    pub(crate) stack: Stack,
    // Fields are dropped in this order. The simulators must stop before the emulator, because the
    // simulated ORDS writes to it.
    _simulators: Simulators,
    _emulator: Option<Emulator>,
    _folder: Folder,
}

impl RunningStack {
    /// Writes the stack's addresses to a file. The file is removed when the returned guard is
    /// dropped, because the addresses of a stopped stack would be misleading.
    pub(crate) fn write_to(&self, path: &Path) -> Result<FileGuard> {
        fs::write(path, serde_json::to_string_pretty(&self.stack)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(FileGuard(path.to_owned()))
    }
}

/// Removes a file when it is dropped.
#[derive(Debug)]
pub(crate) struct FileGuard(PathBuf);

impl FileGuard {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for FileGuard {
    fn drop(&mut self) {
        let _may_not_exist = fs::remove_file(&self.0);
    }
}

/// Builds the binaries, starts the emulator and the simulators, deploys and configures the stack.
pub(crate) fn up(paths: &Paths, settings: &Settings) -> Result<RunningStack> {
    let start = Instant::now();
    let log_step = |step: &str| println!("[{:>3} s] {step}", start.elapsed().as_secs());
    let folder = Folder::lock(&paths.target.join(settings.name))?;
    if let Some(url) = &settings.endpoint {
        check_reachable(url)?;
    }
    let mut tools = PendingTools::begin(paths)?;
    log_step("building functions and simulators …");
    binaries::build(paths)?;
    let staged_functions = binaries::stage(paths)?;
    let tools = tools.get()?;
    let emulator = match &settings.endpoint {
        Some(_) => None,
        None => {
            log_step("starting the emulator …");
            Some(Emulator::start(paths, tools, &folder.path, settings.wait_scale)?)
        }
    };
    let endpoint = match (&emulator, &settings.endpoint) {
        (Some(started_emulator), _) => started_emulator.url.clone(),
        (None, running_emulator_url) => {
            running_emulator_url.clone().context("there is no emulator")?
        }
    };
    let endpoint = endpoint.trim_end_matches('/');
    let cloud = Cloud { paths, tools, folder: &folder.path, endpoint };
    let key = cloud.prepare(EXCHANGE_BUCKET).context("the emulator could not be prepared")?;
    let secrets = Secrets::random();
    let users = USERS.map(str::to_owned).to_vec();
    let exchange = Exchange {
        endpoint: endpoint.to_owned(),
        bucket: EXCHANGE_BUCKET.to_owned(),
        key: key.clone(),
    };
    let simulators = Simulators::start(paths, &folder.path, &secrets, &users, &exchange, settings)?;
    log_step("deploying …");
    let services =
        [&simulators.ords.service, &simulators.graph.service, &simulators.identity.service];
    let template_parameters = parameters(settings, &secrets, endpoint, services);
    let outputs = cloud.deploy(&staged_functions, &template_parameters)?;
    cloud.put_secrets(&secret_values_by_arn(&outputs, &secrets, &key)?)?;
    let api = format!("{endpoint}/_aws/execute-api/{}/{ENVIRONMENT}", output(&outputs, "ApiId")?);
    cloud.set_public_url(&api)?;
    log_step("ready");
    let deployed = Deployed {
        api,
        outputs: &outputs,
        secrets,
        users,
        exchange,
        simulators: &simulators,
        emulator: emulator.as_ref(),
        folder: &folder.path,
    };
    let stack = deployed.into_stack()?;
    Ok(RunningStack { stack, _simulators: simulators, _emulator: emulator, _folder: folder })
}

/// The running simulators of a stack.
#[derive(Debug)]
struct Simulators {
    graph: Simulator,
    ords: Simulator,
    identity: Simulator,
}

impl Simulators {
    fn start(
        paths: &Paths,
        folder: &Path,
        secrets: &Secrets,
        users: &[String],
        exchange: &Exchange,
        settings: &Settings,
    ) -> Result<Self> {
        let session_lifetime = settings.session_lifetime_seconds;
        Ok(Self {
            graph: simulators::graph(paths, folder, secrets, users, session_lifetime)?,
            ords: simulators::ords(paths, folder, secrets, exchange)?,
            identity: simulators::identity(paths, folder, secrets, users)?,
        })
    }
}

/// Parts of a deployed stack, from which [`Stack`] collects its addresses and credentials.
struct Deployed<'a> {
    /// Base URL of the API.
    api: String,
    /// Outputs of the CloudFormation stack.
    outputs: &'a BTreeMap<String, String>,
    secrets: Secrets,
    users: Vec<String>,
    exchange: Exchange,
    simulators: &'a Simulators,
    /// The emulator, if it was started for this stack.
    emulator: Option<&'a Emulator>,
    /// Folder with the logs.
    folder: &'a Path,
}

impl Deployed<'_> {
    fn into_stack(self) -> Result<Stack> {
        let Self { api, outputs, secrets, users, exchange, simulators, emulator, folder } = self;
        let Simulators { graph, ords, identity } = simulators;
        let mut logs: BTreeMap<_, _> = ["ords", "graph", "identity"]
            .map(|name| (name.to_owned(), folder.join(format!("{name}.log"))))
            .into();
        logs.extend(emulator.map(|emulator| ("emulator".to_owned(), emulator.log.clone())));
        Ok(Stack {
            api,
            scv: Login { username: "scv".to_owned(), password: secrets.scv_password.clone() },
            ords: ords.service.clone(),
            graph: graph.service.clone(),
            oidc: Oidc {
                issuer: identity.service.url.clone(),
                token_url: format!("{}/token", identity.service.url),
                client_id: secrets.oidc_client_id,
                client_secret: secrets.oidc_client_secret.clone(),
            },
            identity: identity.service.clone(),
            emulator: exchange.endpoint.clone(),
            users,
            region: REGION.to_owned(),
            state_machine_arn: output(outputs, "StateMachineArn")?.to_owned(),
            table: output(outputs, "TransfersTable")?.to_owned(),
            audit_queue_url: output(outputs, "AuditQueueUrl")?.to_owned(),
            audit_table: output(outputs, "AuditTable")?.to_owned(),
            audit_archive_queue_url: output(outputs, "AuditArchiveQueueUrl")?.to_owned(),
            audit_bucket: output(outputs, "AuditBucketName")?.to_owned(),
            webhook_dead_letter_queue_url: output(outputs, "WebhookDeadLetterQueueUrl")?.to_owned(),
            registry_queue_url: output(outputs, "RegistryQueueUrl")?.to_owned(),
            registry_dead_letter_queue_url: output(outputs, "RegistryDeadLetterQueueUrl")?
                .to_owned(),
            webhook_secret: format!("whsec_{}", secrets.webhook_secret),
            delivery_bucket: output(outputs, "DeliveryBucketName")?.to_owned(),
            documents_table: output(outputs, "DocumentsTable")?.to_owned(),
            functions: FUNCTIONS
                .map(|name| (name.to_owned(), format!("{STACK_NAME}-{name}")))
                .into(),
            emulator_pid: emulator.map(Emulator::id),
            logs,
            secrets: vec![
                secrets.scv_password,
                secrets.ords_password,
                secrets.ords_application_password,
                secrets.graph_client_secret,
                secrets.oidc_client_secret,
                secrets.webhook_secret,
                exchange.key.secret_access_key.clone(),
            ],
            exchange,
        })
    }
}

/// Checks that the emulator at `url` accepts connections. The check comes before the build, so that
/// an unreachable emulator is reported at once and not after minutes.
fn check_reachable(url: &str) -> Result<()> {
    let parsed: Url = url.parse().with_context(|| format!("{url} is no URL"))?;
    let addresses =
        parsed.socket_addrs(|| None).with_context(|| format!("{url} has no address"))?;
    if !addresses.iter().any(|address| TcpStream::connect_timeout(address, CONNECT_TIMEOUT).is_ok())
    {
        bail!("no connection to {url}: start that emulator first, or omit --endpoint");
    }
    Ok(())
}
