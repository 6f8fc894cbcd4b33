//! Test of a batch of two hundred documents, through the deployed system. It runs alone,
//! because it takes the slots of all other tests.
//!
//! The test calls the use case directly, with the real table and workflow, so that it can
//! observe the slots meanwhile.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::time::Duration;

use docferry_app::batch::{NewBatch, initiate_batch};
use docferry_app::ports::{Adapters, BatchStore as _, Clock, SlotAdapters, SlotStore as _};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::transfer::create::{InitiateSettings, new_id};
use docferry_aws::{DynamoTransferStore, StepFunctionsWorkflow};
use docferry_domain::ids::{FileId, ObjectGuid};
use docferry_domain::job::OnItemError;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, Priority};
use docferry_domain::transfer::{DriveTarget, Target};
use docferry_system_tests::{Sandbox, eventually};
use jiff::{SignedDuration, Timestamp};

const DOCUMENT_COUNT: u16 = 200;
/// Slot limits of the test stack, see `xtask/src/stack/settings.rs`.
const SLOT_LIMITS: PoolLimits = PoolLimits::new(20, 10);
const END_TIMEOUT: Duration = Duration::from_secs(500);

/// Clock of the machine.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        jiff::Zoned::now().timestamp()
    }
}

/// The adapters of the scheduler under test.
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
    let mut sources = BTreeMap::new();
    let mut guids: Vec<(ObjectGuid, Option<FileId>)> = Vec::new();
    for n in 0..DOCUMENT_COUNT {
        let name = format!("{}-{n:03}.pdf", sandbox.tag);
        let single = Sandbox { file_name: name.clone(), ..sandbox.another_document() };
        let document = single.document(1000 + u64::from(n)).await;
        guids.push((single.guid.parse().unwrap(), None));
        sources.insert(sandbox.path_of(&name), document.sha256);
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
        owner: "scv".into(),
        on_behalf_of: None,
        documents: guids,
        retain_until: None,
        callback: None,
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
    assert_eq!((batch.phase, counts.ended, counts.completed), (Phase::Completed, 200, 200));
    assert!(max_held > 1, "the documents were delivered one at a time");

    let files = sandbox.graph.files(&sandbox.email).await;
    let delivered: BTreeMap<_, _> = files.into_iter().map(|f| (f.path, f.sha256)).collect();
    assert_eq!(delivered, sources);

    for n in 0..DOCUMENT_COUNT {
        let document = id.document(n);
        assert_eq!(sandbox.cloud.wait_for_execution(document.as_str()).await, "SUCCEEDED");
    }

    assert!(sandbox.cloud.exchange_objects(&sandbox.tag).await.is_empty(), "exchange objects");
    assert!(sandbox.open_sessions().await.is_empty());
    assert!(store.slots(Pool::Onedrive).await.unwrap().holders.is_empty());
    assert!(store.queue(Pool::Onedrive, None, 10).await.unwrap().is_empty());
}
