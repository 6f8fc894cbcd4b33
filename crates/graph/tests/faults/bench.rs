//! Test bench that runs one transfer with the real upload engine and the real client against the
//! simulator of Microsoft Graph. The records, the source of documents and the clock are in memory
//! ([`World`]).

use std::sync::Arc;
use std::time::Duration;

use docferry_app::TaskInput;
use docferry_app::delivery::upload::{UploadPorts, UploadSettings};
use docferry_app::ports::{
    Adapters, Cause, Clock as _, ConflictPolicy, CredentialsProvider, Destination, Drive as _,
    FinishAdapters, Freshness, RegistryAdapters, SlotAdapters, TransferStore as _, UploadAdapters,
};
use docferry_app::transfer::create::{InitiateSettings, initiate};
use docferry_domain::audit::AuditContext;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{NewTransfer, Transfer};
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use docferry_sim_graph::{Config, Running, start};
use docferry_testkit::builders::drive_target;
use docferry_testkit::{Runner, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::row::{ForeignFile, Row};

/// GUID of the document.
const DOCUMENT_GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";
/// Email address of the recipient.
const RECIPIENT: &str = "ada@court.example";
/// Content of foreign files, that is, of files that docferry has not uploaded.
pub(crate) const FOREIGN_CONTENT: &str = "theirs";
/// Size of fragments; a document of 5 MB has four.
const FRAGMENT_SIZE: u64 = 4 * 327_680;
/// Timeout that no row reaches, even on a busy machine. No row tests timeouts.
const LONG_TIMEOUT: Duration = Duration::from_secs(300);
/// Number of retries of a step. The real state machine retries more often, but a test with so many
/// retries would take minutes.
pub(crate) const RETRIES: u32 = 3;

/// Credentials that the simulator accepts.
pub(crate) struct Credentials;

impl CredentialsProvider<ClientCredentials> for Credentials {
    async fn credentials(&self, _: Freshness) -> Result<ClientCredentials, Cause> {
        let config = Config::default();
        let client_secret = config.client_secret.into();
        Ok(ClientCredentials { client_id: config.client_id, client_secret })
    }
}

/// Adapters of the bench. All are in memory except the drive, which is the real client.
#[derive(Debug)]
pub(crate) enum RealDrive {}

impl Adapters for RealDrive {
    type Store = World;
    type Clock = World;
}

impl SlotAdapters for RealDrive {
    type Workflow = World;
}

impl RegistryAdapters for RealDrive {
    type Registry = World;
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
    pub(crate) ports: UploadPorts<RealDrive>,
    pub(crate) world: World,
    pub(crate) runner: Runner,
    pub(crate) task: TaskInput,
    /// Time at which the run started, by the test's clock.
    pub(crate) started_at: Timestamp,
}

impl Bench {
    /// Starts the simulator and creates the transfer of a row.
    pub(crate) async fn start(row: &Row) -> Self {
        let config = Config { users: vec![RECIPIENT.into()], ..Config::default() };
        let tenant = config.tenant.clone();
        let graph = start(config).await.unwrap();
        let world = World::default();
        world.add_document(DOCUMENT_GUID, row.name, row.document());
        let runner = Runner::new(&world);
        let task = Self::create_transfer(&runner).await;
        let ports = UploadPorts::<RealDrive> {
            store: world.clone(),
            drive: Self::drive(&graph, tenant, &world),
            exchange: Arc::new(world.clone()),
            sealer: world.clone(),
            clock: world.clone(),
            budget: world.clone(),
            registry: world.clone(),
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
        let started_at = world.now();
        let bench = Self { graph, admin, ports, world, runner, task, started_at };
        if let Some(file) = row.foreign_file {
            bench.put_foreign_file(file).await;
        }
        bench.post_admin("/faults", &row.rules).await;
        bench
    }

    /// Creates the client of the simulator.
    fn drive(graph: &Running, tenant: String, clock: &World) -> GraphDrive<Credentials, World> {
        let settings = GraphSettings {
            graph_url: graph.url().into(),
            authority_url: graph.url().into(),
            call_timeout: LONG_TIMEOUT,
            ..GraphSettings::public_cloud(tenant)
        };
        GraphDrive::new(&settings, Credentials, clock.clone()).unwrap()
    }

    /// Creates a transfer of the document to the recipient, and returns the input of its tasks.
    async fn create_transfer(runner: &Runner) -> TaskInput {
        let request = NewTransfer {
            spec: JobSpec::of_owner("scv"),
            audit: AuditContext::default(),
            object_guid: DOCUMENT_GUID.parse().unwrap(),
            file_id: None,
            target: drive_target(RECIPIENT, "Court").into(),
            priority: Priority::Normal,
        };
        let limits = InitiateSettings {
            transfer_deadline: SignedDuration::from_hours(4),
            record_ttl: SignedDuration::from_hours(168),
        };
        let transfer = initiate(&runner.scheduler(), limits, request).await.unwrap();
        TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 }
    }

    /// Puts a foreign file into the drive.
    pub(crate) async fn put_foreign_file(&self, file: ForeignFile) {
        let destination = Destination {
            recipient: RECIPIENT.parse().unwrap(),
            folder: file.folder.parse().unwrap(),
            name: file.name.parse().unwrap(),
        };
        self.ports
            .drive
            .put_whole(&destination, FOREIGN_CONTENT.into(), ConflictPolicy::Fail)
            .await
            .unwrap();
    }

    /// Sends a request to the admin interface of the simulator.
    pub(crate) async fn post_admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.graph.admin_url());
        let response = self.admin.post(url).json(body).send().await.unwrap();
        response.error_for_status().unwrap();
    }

    /// Returns the list at a path of the simulator's admin interface, such as `/requests`.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let url = format!("{}{path}", self.graph.admin_url());
        self.admin.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Returns the record of the transfer.
    pub(crate) async fn record(&self) -> Transfer {
        self.world.store().get(&self.task.transfer_id).await.unwrap().unwrap()
    }
}
