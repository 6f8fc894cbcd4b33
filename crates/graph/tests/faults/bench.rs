//! Test bench: runs one transfer with the real upload engine and the real client against the
//! simulator of Graph. Records, source and clock are in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use docferry_app::delivery::upload::{Progress, Upload, UploadSettings, upload};
use docferry_app::finish::{FinalizeSettings, Ports, finalize};
use docferry_app::ports::{
    Cause, Clock as _, ConflictPolicy, CredentialsProvider, Freshness, TransferStore as _,
};
use docferry_app::source::poll;
use docferry_app::source::push;
use docferry_app::transfer::create::{InitiateSettings, initiate};
use docferry_app::{TaskError, TaskInput};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{ArrivalRules, DeliveredItem, Delivery, NewTransfer, Transfer};
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use docferry_sim_graph::{Config, Running, start};
use docferry_testkit::builders::drive_target;
use docferry_testkit::{Runner, World, zip_container};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::row::Row;

const GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";
const USER: &str = "ada@court.example";
/// Size of fragments; a document of 5 MB has four.
const FRAGMENT: u64 = 4 * 327_680;
/// Timeout that is never reached. No row tests timeouts, and a busy machine must not cause one.
const LONG_TIMEOUT: Duration = Duration::from_secs(300);
/// Number of retries of a step: fewer than in the state machine, which would take minutes.
pub(crate) const RETRIES: u32 = 3;

struct Credentials;

impl CredentialsProvider<ClientCredentials> for Credentials {
    async fn credentials(&self, _: Freshness) -> Result<ClientCredentials, Cause> {
        let config = Config::default();
        let client_secret = config.client_secret.into();
        Ok(ClientCredentials { client_id: config.client_id, client_secret })
    }
}

/// Result of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FaultResult {
    pub(crate) outcome: Result<(), FailureCode>,
    /// Bytes that the simulator received beyond the document's size.
    pub(crate) extra: i64,
    /// Number of sessions that were created.
    pub(crate) sessions: usize,
    /// Number of sessions that are still open after the end.
    pub(crate) open: usize,
    /// Number of files in the drive after the end.
    pub(crate) files: usize,
    /// Number of objects in the exchange bucket after the end.
    pub(crate) objects: usize,
    /// Whether the delivery is recorded as rewritten by the service.
    pub(crate) rewritten: bool,
}

/// Result of a run, with the observations of the simulator and the clock.
pub(crate) struct Seen {
    pub(crate) came: FaultResult,
    /// Number of requests by operation.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Paths of the files in the drive after the end.
    pub(crate) paths: Vec<String>,
    /// Time between the start and the end, by the test's clock.
    pub(crate) waited_seconds: i64,
}

pub(crate) struct Bench {
    graph: Running,
    admin: reqwest::Client,
    ports: Upload<World, GraphDrive<Credentials, World>, World, World, World, World>,
    world: World,
    runner: Runner,
    task: TaskInput,
    began_at: Timestamp,
}

fn document(row: &Row) -> Vec<u8> {
    let bytes = |size| (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<u8>>();
    if !row.container {
        return bytes(row.size);
    }
    let container = |text: &[u8]| {
        zip_container(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", text)])
    };
    let overhead = container(b"").len() as u64;
    container(&bytes(row.size - overhead)).to_vec()
}

impl Bench {
    pub(crate) async fn start(row: &Row) -> Self {
        let config = Config { users: vec![USER.into()], ..Config::default() };
        let tenant = config.tenant.clone();
        let graph = start(config).await.unwrap();
        let settings = GraphSettings {
            graph_url: graph.url().into(),
            authority_url: graph.url().into(),
            call_timeout: LONG_TIMEOUT,
            ..GraphSettings::public_cloud(tenant)
        };
        let world = World::default();
        world.add_document(GUID, row.name, document(row));
        let drive = GraphDrive::new(&settings, Credentials, world.clone()).unwrap();
        let request = NewTransfer {
            owner: "scv".into(),
            on_behalf_of: None,
            object_guid: GUID.parse().unwrap(),
            file_id: None,
            target: drive_target(USER, "Court").into(),
            priority: Priority::Normal,
            keep_until: None,
            callback: None,
        };
        let limits = InitiateSettings {
            transfer_deadline: SignedDuration::from_hours(4),
            record_ttl: SignedDuration::from_hours(168),
        };
        let runner = Runner::new(&world);
        let transfer = initiate(&runner.scheduler(), limits, request).await.unwrap();
        let task = TaskInput { transfer_id: transfer.transfer_id, attempt: 1 };
        let ports = Upload {
            store: world.clone(),
            drive,
            staging: Arc::new(world.clone()),
            sealer: world.clone(),
            clock: world.clone(),
            budget: world.clone(),
            settings: UploadSettings {
                policy: row.policy,
                fragment_bytes: FRAGMENT,
                read_ahead_bytes: 1 << 20,
                parallel_reads: 4,
                margin: Duration::from_secs(5),
                fragment_timeout: LONG_TIMEOUT,
            },
        };
        let admin = reqwest::Client::new();
        let began_at = world.now();
        let bench = Self { graph, admin, ports, world, runner, task, began_at };
        if let Some(place) = row.foreign {
            bench.put_foreign(place).await;
        }
        bench.post_admin("/faults", &row.rules).await;
        bench
    }

    /// Puts a file of another owner into the drive.
    async fn put_foreign(&self, (folder, name): (&str, &str)) {
        use docferry_app::ports::{Destination, Drive as _};
        let at = Destination {
            recipient: USER.parse().unwrap(),
            folder: folder.parse().unwrap(),
            name: name.parse().unwrap(),
        };
        self.ports.drive.put_whole(&at, "theirs".into(), ConflictPolicy::Fail).await.unwrap();
    }

    async fn post_admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.graph.admin_url());
        let sent = self.admin.post(url).json(body).send().await.unwrap();
        sent.error_for_status().unwrap();
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let url = format!("{}{path}", self.graph.admin_url());
        self.admin.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Runs the steps of the workflow until the transfer has ended.
    pub(crate) async fn run(&self, row: &Row) -> FaultResult {
        let world = &self.world;
        push::push(
            world,
            world,
            world,
            world,
            &docferry_domain::transfer::DeadlineRules::default(),
            &self.task,
        )
        .await
        .unwrap()
        .done()
        .unwrap();
        let rules = ArrivalRules { deadline: SignedDuration::from_secs(600) };
        let scheduler = self.runner.scheduler();
        poll::poll(&scheduler, world, rules, &self.task).await.unwrap();
        let stopped_by = self.run_uploads(row).await.err();
        let mut failures = 0;
        for _ in 0..100 {
            match self.finalize(stopped_by).await {
                Ok(Some(_)) => break,
                Ok(None) => {}
                Err(_) => failures += 1,
            }
            if failures > RETRIES {
                break;
            }
        }
        self.observe_result(row).await
    }

    async fn run_uploads(&self, row: &Row) -> Result<(), FailureCode> {
        let (mut retries, mut waits) = (0, 0);
        for _ in 0..1000 {
            match self.upload().await {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Continue) => {}
                Ok(Progress::SourceLost) => return Err(FailureCode::SourceChanged),
                Ok(Progress::Wait { seconds }) => {
                    (row.meanwhile)(&self.world);
                    if let Some(place) = row.later_file.filter(|_| waits == 0) {
                        self.put_foreign(place).await;
                    }
                    waits += 1;
                    self.world.advance(SignedDuration::from_secs(seconds.into()));
                    // The simulator's clock does not advance with the test's, so sessions have
                    // to be expired explicitly.
                    if row.sessions_expire {
                        self.post_admin("/sessions/expire", &Value::Null).await;
                    }
                }
                Err(error) if error.code.is_retryable() && retries < RETRIES => retries += 1,
                Err(error) => return Err(error.code),
            }
        }
        Err(FailureCode::DeadlineExceeded)
    }

    async fn upload(&self) -> Result<Progress, TaskError> {
        let deadline = self.world.now() + SignedDuration::from_secs(300);
        upload(&self.ports, &self.task, deadline).await
    }

    async fn finalize(&self, stopped_by: Option<FailureCode>) -> Result<Option<Phase>, TaskError> {
        let world = &self.world;
        let ports = Ports {
            store: world,
            drive: &self.ports.drive,
            staging: world,
            artifacts: world,
            sealer: world,
            clock: world,
        };
        let stopped_by = stopped_by.map(FailureCode::as_str);
        let scheduler = self.runner.scheduler();
        let settings = FinalizeSettings::default();
        let ended = finalize(&ports, &scheduler, settings, &self.task, stopped_by).await?;
        match ended.done() {
            Ok(phase) => Ok(Some(phase)),
            Err(reason) => {
                self.world.advance(SignedDuration::from_secs(reason.wait_seconds().into()));
                Ok(None)
            }
        }
    }

    async fn record(&self) -> Transfer {
        self.world.store().get(&self.task.transfer_id).await.unwrap().unwrap()
    }

    /// Collects the requests, the files and the elapsed time of a run.
    pub(crate) async fn seen(&self, came: FaultResult) -> Seen {
        let mut requests = BTreeMap::new();
        for request in self.list("/requests").await {
            *requests.entry(text(&request, "operation").to_owned()).or_insert(0) += 1;
        }
        let files = self.list("/files").await;
        let waited = self.world.now().duration_since(self.began_at);
        Seen {
            came,
            requests,
            paths: files.iter().map(|file| text(file, "path").to_owned()).collect(),
            waited_seconds: waited.as_secs(),
        }
    }

    async fn observe_result(&self, row: &Row) -> FaultResult {
        let transfer = self.record().await;
        let outcome = match transfer.phase {
            Phase::Completed => Ok(()),
            Phase::Failed => Err(transfer.failure.unwrap().code),
            phase => panic!("{phase:?} is not terminal"),
        };
        let received: u64 = self
            .list("/requests")
            .await
            .iter()
            .filter(|r| ["fragment", "lastFragment", "simplePut"].contains(&text(r, "operation")))
            .map(|request| request["bytes"].as_u64().unwrap())
            .sum();
        let foreign = if row.foreign.is_some() { 6 } else { 0 };
        let sessions = self.list("/sessions").await;
        let open = sessions.iter().filter(|session| text(session, "state") == "open").count();
        FaultResult {
            outcome,
            extra: i64::try_from(received).unwrap() - i64::try_from(row.size + foreign).unwrap(),
            sessions: sessions.len(),
            open,
            files: self.list("/files").await.len(),
            objects: self.world.state().objects.len(),
            rewritten: matches!(
                transfer.delivery,
                Some(Delivery::Onedrive(DeliveredItem { rewritten: true, .. }))
            ),
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
