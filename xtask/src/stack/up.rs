//! Bringing a stack up, and ending it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use url::Url;

use super::settings::{EXCHANGE_BUCKET, output, parameters, values};
use super::{Exchange, Login, Oidc, Secrets, Settings, Stack};
use crate::binaries::{self, FUNCTIONS};
use crate::deploy::{Cloud, ENVIRONMENT, STACK_NAME};
use crate::emulator::{Emulator, REGION};
use crate::paths::Paths;
use crate::simulators::{self, Simulator};
use crate::tools::ToolsSoon;

/// How long an emulator that is said to run may take to take a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder of a run, which no other run may use meanwhile.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _locked: File,
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn take(path: &Path) -> Result<Self> {
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
    _simulators: [Simulator; 3],
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
    let folder = Folder::take(&paths.target.join(settings.name))?;
    if let Some(url) = &settings.endpoint {
        somebody_answers_at(url)?;
    }
    let mut tools = ToolsSoon::begin(paths)?;
    say("building functions and simulators …");
    binaries::build(paths)?;
    let staged = binaries::stage(paths)?;
    let tools = tools.get()?;
    let emulator = match &settings.endpoint {
        Some(_) => None,
        None => {
            say("starting the emulator …");
            Some(Emulator::start(paths, tools, &folder.path, settings.wait_scale)?)
        }
    };
    let endpoint = match (&emulator, &settings.endpoint) {
        (Some(ours), _) => ours.url.clone(),
        (None, given) => given.clone().context("there is no emulator")?,
    };
    let endpoint = endpoint.trim_end_matches('/');
    let cloud = Cloud { paths, tools, folder: &folder.path, endpoint };
    let key =
        cloud.prepare(EXCHANGE_BUCKET).context("the emulator does not answer as it should")?;
    let secrets = Secrets::random();
    let users = ["ada@docferry.example", "grace@docferry.example", "o'neil+files@docferry.example"]
        .map(str::to_owned)
        .to_vec();
    let graph = simulators::graph(
        paths,
        &folder.path,
        &secrets,
        &users,
        settings.session_lifetime_seconds,
    )?;
    let ords = simulators::ords(paths, &folder.path, &secrets, (endpoint, EXCHANGE_BUCKET, &key))?;
    let identity = simulators::identity(paths, &folder.path, &secrets, &users)?;
    say("deploying …");
    let services = [&ords.service, &graph.service, &identity.service];
    let wanted = parameters(settings, &secrets, endpoint, services);
    let outputs = cloud.deploy(&staged, &wanted)?;
    cloud.put_secrets(&values(&outputs, &secrets, &key)?)?;
    say("ready");
    let exchange =
        Exchange { endpoint: endpoint.to_owned(), bucket: EXCHANGE_BUCKET.to_owned(), key };
    let mut logs: BTreeMap<_, _> = ["ords", "graph", "identity"]
        .map(|name| (name.to_owned(), folder.path.join(format!("{name}.log"))))
        .into();
    logs.extend(emulator.as_ref().map(|ours| ("emulator".to_owned(), ours.log.clone())));
    let stack = Stack {
        api: format!("{endpoint}/_aws/execute-api/{}/{ENVIRONMENT}", output(&outputs, "ApiId")?),
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
        emulator: endpoint.to_owned(),
        users,
        region: REGION.to_owned(),
        state_machine_arn: output(&outputs, "StateMachineArn")?.to_owned(),
        table: output(&outputs, "TransfersTable")?.to_owned(),
        audit_queue_url: output(&outputs, "AuditQueueUrl")?.to_owned(),
        webhook_dead_letter_queue_url: output(&outputs, "WebhookDeadLetterQueueUrl")?.to_owned(),
        webhook_secret: format!("whsec_{}", secrets.webhook_secret),
        delivery_bucket: output(&outputs, "DeliveryBucketName")?.to_owned(),
        documents_table: output(&outputs, "DocumentsTable")?.to_owned(),
        functions: FUNCTIONS.map(|name| (name.to_owned(), format!("{STACK_NAME}-{name}"))).into(),
        emulator_pid: emulator.as_ref().map(Emulator::id),
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
    };
    Ok(Up { stack, _simulators: [graph, ords, identity], _emulator: emulator, _folder: folder })
}

/// Before the minutes of building, not after them.
fn somebody_answers_at(url: &str) -> Result<()> {
    let parsed: Url = url.parse().with_context(|| format!("{url} is no URL"))?;
    let addresses =
        parsed.socket_addrs(|| None).with_context(|| format!("{url} has no address"))?;
    if !addresses.iter().any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok()) {
        bail!("nothing answers at {url}: start that emulator first, or leave --endpoint out");
    }
    Ok(())
}
