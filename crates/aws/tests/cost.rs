//! Tests of how many AWS calls one API request makes, because AWS charges for each call.
//!
//! A proxy in front of the emulator counts the calls.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::job::{Job, JobSettings, NewJob, initiate_job, job_of};
use docferry_app::ports::{Adapters, Clock as _, SlotAdapters};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::transfer::create::InitiateSettings;
use docferry_aws::{DynamoTransferStore, StepFunctionsWorkflow};
use docferry_domain::document::DocumentKey;
use docferry_domain::ids::FileId;
use docferry_domain::job::OnItemError;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{DownloadTarget, Target};
use docferry_testkit::builders::{document_record, unrestricted_caller};
use docferry_testkit::{LIMITS, World};
use jiff::SignedDuration;

use support::wire::LossyProxy;
use support::{TestTable, config, emulator, machine};

fn job_request(count: u64) -> NewJob {
    NewJob {
        spec: JobSpec::of_owner("sub:ada"),
        origin: None,
        documents: (0..count).map(|number| DocumentKey::File(FileId::new(number))).collect(),
        requester: unrestricted_caller(),
        is_single: count == 1,
        target: Target::Download(DownloadTarget { person: Person::new("sub:ada") }),
        priority: Priority::Normal,
        on_item_error: OnItemError::Fail,
        name: None,
    }
}

/// The adapters of the scheduler under test.
#[derive(Debug)]
enum TestAdapters {}

impl Adapters for TestAdapters {
    type Store = DynamoTransferStore;
    type Clock = World;
}

impl SlotAdapters for TestAdapters {
    type Workflow = StepFunctionsWorkflow;
}

#[tokio::test]
async fn status_costs_one_read_and_a_new_job_one_transaction() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let store = table.store_through(&proxy.url).await;
    let (_, arn) = machine(&emulator).await;
    let client = aws_sdk_sfn::Client::new(&config(&proxy.url).await);
    let workflow = StepFunctionsWorkflow::new(client, &arn);
    let world = World::default();
    let registry = world.registry();
    for number in 0..40 {
        registry.insert(document_record(number));
    }
    let scheduler = SlotScheduler::<TestAdapters> {
        store: &store,
        workflow: &workflow,
        clock: &world,
        limits: LIMITS.into(),
    };
    let ttl = SignedDuration::from_hours(168);
    let initiate =
        InitiateSettings { transfer_deadline: SignedDuration::from_hours(4), record_ttl: ttl };
    let settings = JobSettings { initiate, job_ttl: SignedDuration::from_hours(24) };
    // Discards the calls until here, which only prepare the test.
    proxy.calls();

    let single_job = initiate_job(&scheduler, registry, settings, job_request(1)).await.unwrap();
    // Slots and queue are read first, so that the transaction can take a free slot.
    let expected = ["GetItem", "Query", "TransactWriteItems", "StartExecution"];
    assert_eq!(proxy.calls(), expected);
    let found = job_of(&store, &world, ttl, "sub:ada", &single_job.job_id).await.unwrap();
    assert!(matches!(found, Some(Job::One(_))) && world.now() < single_job.retain_until);
    assert_eq!(proxy.calls(), ["GetItem"]);

    // The calls that create the large job are discarded too.
    let large_job = initiate_job(&scheduler, registry, settings, job_request(40)).await.unwrap();
    proxy.calls();
    let found = job_of(&store, &world, ttl, "sub:ada", &large_job.job_id).await.unwrap();
    assert!(matches!(found, Some(Job::Many { documents, .. }) if documents.len() == 40));
    assert_eq!(proxy.calls(), ["Query"]);
}
