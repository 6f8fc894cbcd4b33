//! Test bench: runs one transfer with the real upload engine and the real client against the
//! simulator of Graph. Records, source and clock are in memory.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::delivery::upload::{Progress, UploadPorts, UploadSettings, upload};
use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::ports::{
    Adapters, Cause, Clock as _, ConflictPolicy, CredentialsProvider, FinishAdapters, Freshness,
    SlotAdapters, TransferStore as _, UploadAdapters,
};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::{poll, push};
use docferry_app::transfer::create::{InitiateSettings, initiate};
use docferry_app::{TaskError, TaskInput};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{ArrivalRules, DeadlineRules, NewTransfer, Transfer};
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use docferry_sim_graph::{Config, Running, start};
use docferry_testkit::builders::drive_target;
use docferry_testkit::{Runner, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::result::FaultResult;
use crate::row::Row;

/// GUID of the document.
const DOCUMENT_GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";
/// Email address of the recipient.
const RECIPIENT: &str = "ada@court.example";
/// Content of files of another owner.
pub(crate) const FOREIGN_CONTENT: &str = "theirs";
/// Size of fragments; a document of 5 MB has four.
const FRAGMENT_SIZE: u64 = 4 * 327_680;
/// Timeout that is never reached. No row tests timeouts, and a busy machine must not cause one.
const LONG_TIMEOUT: Duration = Duration::from_secs(300);
/// Bound on the invocations of `upload` in a run, so that a fault cannot make a test endless.
const MAX_UPLOAD_CALLS: u32 = 1000;
/// Bound on the invocations of `finalize` in a run.
const MAX_FINALIZE_CALLS: u32 = 100;
/// Number of retries of a step: fewer than in the state machine, which would take minutes.
pub(crate) const RETRIES: u32 = 3;

/// Credentials that the simulator accepts.
struct Credentials;

impl CredentialsProvider<ClientCredentials> for Credentials {
    async fn credentials(&self, _: Freshness) -> Result<ClientCredentials, Cause> {
        let config = Config::default();
        let client_secret = config.client_secret.into();
        Ok(ClientCredentials { client_id: config.client_id, client_secret })
    }
}

/// The adapters of the bench: all in memory, except for the drive.
#[derive(Debug)]
enum RealDrive {}

impl Adapters for RealDrive {
    type Store = World;
    type Clock = World;
}

impl SlotAdapters for RealDrive {
    type Workflow = World;
}

impl UploadAdapters for RealDrive {
    type Drive = GraphDrive<Credentials, World>;
    type Exchange = World;
    type Sealer = World;
    type Budget = World;
}

impl FinishAdapters for RealDrive {
    type Drive = GraphDrive<Credentials, World>;
    type Exchange = World;
    type Artifacts = World;
    type Sealer = World;
}

/// One transfer with its ports, and the simulator as its destination.
pub(crate) struct Bench {
    graph: Running,
    admin: reqwest::Client,
    ports: UploadPorts<RealDrive>,
    pub(crate) world: World,
    runner: Runner,
    task: TaskInput,
    /// Time at which the run began, by the test's clock.
    pub(crate) began_at: Timestamp,
}

impl Bench {
    pub(crate) async fn start(row: &Row) -> Self {
        let config = Config { users: vec![RECIPIENT.into()], ..Config::default() };
        let tenant = config.tenant.clone();
        let graph = start(config).await.unwrap();
        let settings = GraphSettings {
            graph_url: graph.url().into(),
            authority_url: graph.url().into(),
            call_timeout: LONG_TIMEOUT,
            ..GraphSettings::public_cloud(tenant)
        };
        let world = World::default();
        world.add_document(DOCUMENT_GUID, row.name, row.document());
        let drive = GraphDrive::new(&settings, Credentials, world.clone()).unwrap();
        let request = NewTransfer {
            owner: "scv".into(),
            on_behalf_of: None,
            object_guid: DOCUMENT_GUID.parse().unwrap(),
            file_id: None,
            target: drive_target(RECIPIENT, "Court").into(),
            priority: Priority::Normal,
            retain_until: None,
            callback: None,
        };
        let limits = InitiateSettings {
            transfer_deadline: SignedDuration::from_hours(4),
            record_ttl: SignedDuration::from_hours(168),
        };
        let runner = Runner::new(&world);
        let transfer = initiate(&runner.scheduler(), limits, request).await.unwrap();
        let task = TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 };
        let ports = UploadPorts::<RealDrive> {
            store: world.clone(),
            drive,
            exchange: Arc::new(world.clone()),
            sealer: world.clone(),
            clock: world.clone(),
            budget: world.clone(),
            settings: UploadSettings {
                policy: row.policy,
                fragment_bytes: FRAGMENT_SIZE,
                read_ahead_bytes: 1 << 20,
                parallel_reads: 4,
                margin: Duration::from_secs(5),
                fragment_timeout: LONG_TIMEOUT,
            },
        };
        let admin = reqwest::Client::new();
        let began_at = world.now();
        let bench = Self { graph, admin, ports, world, runner, task, began_at };
        if let Some(place) = row.foreign_file {
            bench.put_foreign_file(place).await;
        }
        bench.post_admin("/faults", &row.rules).await;
        bench
    }

    /// Puts a file of another owner into the drive.
    async fn put_foreign_file(&self, (folder, name): (&str, &str)) {
        use docferry_app::ports::{Destination, Drive as _};
        let destination = Destination {
            recipient: RECIPIENT.parse().unwrap(),
            folder: folder.parse().unwrap(),
            name: name.parse().unwrap(),
        };
        self.ports
            .drive
            .put_whole(&destination, FOREIGN_CONTENT.into(), ConflictPolicy::Fail)
            .await
            .unwrap();
    }

    async fn post_admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.graph.admin_url());
        let response = self.admin.post(url).json(body).send().await.unwrap();
        response.error_for_status().unwrap();
    }

    /// Returns a list of the admin interface.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let url = format!("{}{path}", self.graph.admin_url());
        self.admin.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Runs the steps of the workflow until the transfer has ended.
    pub(crate) async fn run(&self, row: &Row) -> FaultResult {
        let world = &self.world;
        let ports =
            push::PushPorts::<World> { store: world, source: world, exchange: world, clock: world };
        push::push(&ports, &DeadlineRules::default(), &self.task).await.unwrap().done().unwrap();
        let rules = ArrivalRules { deadline: SignedDuration::from_secs(600) };
        let scheduler = self.runner.scheduler();
        poll::poll(&scheduler, world, rules, &self.task).await.unwrap();
        let stopped_by = self.run_uploads(row).await.err();
        let mut failures = 0;
        for _ in 0..MAX_FINALIZE_CALLS {
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

    /// Runs `upload` until it is done, waits as it asks, and retries as the workflow does.
    async fn run_uploads(&self, row: &Row) -> Result<(), FailureCode> {
        let (mut retries, mut waits) = (0, 0);
        for _ in 0..MAX_UPLOAD_CALLS {
            match self.upload().await {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Continue) => {}
                Ok(Progress::SourceLost) => return Err(FailureCode::SourceChanged),
                Ok(Progress::Wait { seconds }) => {
                    (row.change_source)(&self.world);
                    if let Some(place) = row.later_file.filter(|_| waits == 0) {
                        self.put_foreign_file(place).await;
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
        let ports = FinishPorts::<RealDrive> {
            store: world,
            drive: &self.ports.drive,
            exchange: world,
            artifacts: world,
            sealer: world,
            clock: world,
        };
        let stopped_by = stopped_by.map(FailureCode::as_str);
        let scheduler = SlotScheduler::<RealDrive> {
            store: world,
            workflow: world,
            clock: world,
            limits: self.runner.limits,
        };
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

    /// Returns the record of the transfer.
    pub(crate) async fn record(&self) -> Transfer {
        self.world.store().get(&self.task.transfer_id).await.unwrap().unwrap()
    }
}
