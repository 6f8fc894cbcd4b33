//! Test of a batch, a job with two hundred documents, with the deployed system. A document needs a
//! slot, the right to move bytes; the number of slots is limited. The test runs alone, because it
//! uses all slots.
//!
//! The test calls the use case `initiate_batch` directly, with the deployed table and workflow, so
//! that it can observe the slots while the documents are delivered.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::time::Duration;

use docferry_app::batch::{BatchDocument, NewBatch, initiate_batch};
use docferry_app::ports::{Adapters, BatchStore as _, Clock, SlotAdapters, SlotStore as _};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::transfer::create::{InitiateSettings, new_id};
use docferry_aws::{DynamoTransferStore, StepFunctionsWorkflow};
use docferry_domain::job::OnItemError;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, Priority};
use docferry_domain::transfer::{DriveTarget, Target};
use docferry_system_tests::{Sandbox, eventually};
use jiff::{SignedDuration, Timestamp};

/// Number of documents of the batch.
const DOCUMENT_COUNT: u16 = 200;
/// Numbers of slots in the test stack, in total and per person, from
/// `xtask/src/stack/settings.rs`.
const SLOT_LIMITS: PoolLimits = PoolLimits::new(20, 10);
/// Maximum time until the batch has ended.
const END_TIMEOUT: Duration = Duration::from_secs(500);

/// System time as the clock of the use case.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        jiff::Zoned::now().timestamp()
    }
}

/// The adapters with which the slot scheduler under test works.
#[derive(Debug)]
enum TestAdapters {}

impl Adapters for TestAdapters {
    type Store = DynamoTransferStore;
    type Clock = SystemClock;
}

impl SlotAdapters for TestAdapters {
    type Workflow = StepFunctionsWorkflow;
}

#[tokio::test]
async fn two_hundred_documents_of_a_batch_respect_slot_limits() {
    let sandbox = Sandbox::new().await;
    let mut expected_files = BTreeMap::new();
    let mut documents = Vec::new();
    for index in 0..DOCUMENT_COUNT {
        let name = format!("{}-{index:03}.pdf", sandbox.tag);
        let document_sandbox = Sandbox { file_name: name.clone(), ..sandbox.another_document() };
        let document = document_sandbox.document(1000 + u64::from(index)).await;
        documents.push(BatchDocument::of_guid(document_sandbox.guid.parse().unwrap()));
        expected_files.insert(sandbox.path_of(&name), document.sha256);
    }
    let (store, workflow) = (sandbox.cloud.store(), sandbox.cloud.workflow());
    let scheduler = SlotScheduler::<TestAdapters> {
        store: &store,
        workflow: &workflow,
        clock: &SystemClock,
        limits: SLOT_LIMITS.into(),
    };
    let settings = InitiateSettings {
        transfer_deadline: SignedDuration::from_hours(4),
        record_ttl: SignedDuration::from_hours(168),
    };
    let new_batch = NewBatch {
        spec: JobSpec::of_owner("scv"),
        origin: None,
        documents,
        target: Target::Onedrive(DriveTarget {
            recipient: sandbox.email.parse().unwrap(),
            file_path: Some(sandbox.folder.clone()),
            folder: sandbox.folder.parse().unwrap(),
        }),
        priority: Priority::Normal,
        on_item_error: OnItemError::Fail,
    };
    let id = new_id(SystemClock.now());
    initiate_batch(&scheduler, settings, id.clone(), new_batch, None).await.unwrap();

    let (mut last_percent, mut max_held) = (0, 0);
    let (batch, counts) = eventually("the batch ends", END_TIMEOUT, async || {
        let held = store.slots(Pool::Onedrive).await.unwrap().holders.len();
        assert!(held <= SLOT_LIMITS.per_person, "{held} hold a slot");
        max_held = held.max(max_held);
        let (batch, counts) = store.batch(&id).await.unwrap().unwrap();
        let percent = batch.percent(&counts);
        assert!(percent >= last_percent, "{percent} after {last_percent}");
        last_percent = percent;
        batch.phase.is_terminal().then_some((batch, counts))
    })
    .await;
    assert_eq!(batch.phase, Phase::Completed);
    assert_eq!((counts.ended, counts.completed), (DOCUMENT_COUNT, DOCUMENT_COUNT));
    assert!(max_held > 1, "the documents were delivered one at a time");

    let files = sandbox.graph.files(&sandbox.email).await;
    let delivered_files: BTreeMap<_, _> =
        files.into_iter().map(|file| (file.path, file.sha256)).collect();
    assert_eq!(delivered_files, expected_files);

    for index in 0..DOCUMENT_COUNT {
        let document_id = id.document(index);
        assert_eq!(sandbox.cloud.wait_for_execution(document_id.as_str()).await, "SUCCEEDED");
    }

    assert!(sandbox.cloud.exchange_objects(&sandbox.tag).await.is_empty(), "exchange objects");
    assert!(sandbox.open_sessions().await.is_empty());
    assert!(store.slots(Pool::Onedrive).await.unwrap().holders.is_empty());
    assert!(store.queue(Pool::Onedrive, None, 10).await.unwrap().is_empty());
}
