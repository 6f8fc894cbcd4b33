//! Tests of webhooks. A job can name a URL, its webhook receiver, which docferry notifies of the
//! end of each run of the job.
//!
//! A notification passes through the outbox and the webhook queue before a function delivers it
//! to the receiver. A receiver that fails never delays its job.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{FAULT_MODES, JOBS, OWNER, SETTINGS, bytes, retry_request};
use docferry_app::finish::FinishPorts;
use docferry_app::job::retry::retry_job;
use docferry_app::job::{NewJob, cancel_job, initiate_job};
use docferry_app::ports::{
    AuditQueue, Clock as _, EventOutbox, QueueError, RegistryWork, WebhookQueue,
};
use docferry_app::recovery::{OutboxQueues, SweepSettings, sweep};
use docferry_domain::audit::AuditRecord;
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_domain::ids::{FileId, TransferId};
use docferry_domain::job::{OnItemError, WebhookNotification};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{DownloadTarget, Target};
use docferry_testkit::builders::{callback, document_record, unrestricted_caller};
use docferry_testkit::{Fault, Runner, World};
use jiff::SignedDuration;

/// Document counts of the tested jobs: a job of one document, and a batch.
const JOB_SIZES: [u64; 2] = [1, 3];

/// A world with three documents, numbered 0 to 2.
fn world() -> World {
    let world = World::default();
    for number in 0..3 {
        let guid = format!("{number:06}AA");
        world.add_document(&guid, &format!("document {number}.pdf"), bytes(1000));
        let object_guid = guid.parse().unwrap();
        let file_id = Some(FileId::new(number));
        world.registry().insert(DocumentRecord {
            obj_guid: object_guid,
            file_id,
            ..document_record(number)
        });
    }
    world
}

/// Requests a job with a webhook for the first `document_count` documents.
async fn start_job(runner: &Runner, world: &World, document_count: u64) -> TransferId {
    let person = Person::new("p");
    let new = NewJob {
        spec: JobSpec { callback: Some(callback()), ..JobSpec::of_owner(OWNER) },
        origin: None,
        documents: (0..document_count)
            .map(|number| DocumentKey::File(FileId::new(number)))
            .collect(),
        requester: unrestricted_caller(),
        is_single: document_count == 1,
        target: Target::Download(DownloadTarget { person }),
        priority: Priority::Normal,
        on_item_error: OnItemError::Fail,
        name: None,
    };
    initiate_job(&runner.scheduler(), world, JOBS, new).await.unwrap().job_id
}

/// Notifications of a job in the webhook queue, without duplicates and in the order of its runs.
fn queued_notifications(world: &World, id: &TransferId) -> Vec<WebhookNotification> {
    let mut notifications = world.state().notifications.clone();
    notifications.retain(|notification| notification.job_id == *id);
    notifications.sort_by_key(|notification| notification.end_number);
    notifications.dedup();
    notifications
}

#[tokio::test(start_paused = true)]
async fn each_run_of_a_job_sends_one_webhook_notification() {
    for document_count in JOB_SIZES {
        let world = world();
        let runner = Runner::new(&world);
        let id = start_job(&runner, &world, document_count).await;
        let scheduler = runner.scheduler();

        cancel_job(&scheduler, SETTINGS.record_ttl, OWNER, &id).await.unwrap();
        runner.run_all().await;
        runner.notify().await;
        retry_job(&scheduler, &world, retry_request(&id)).await.unwrap();
        runner.run_all().await;
        runner.notify().await;

        let sent = queued_notifications(&world, &id);
        let [canceled_run, completed_run] = &*sent else { panic!("{sent:?}") };
        assert_eq!((canceled_run.outcome, canceled_run.runs), (Phase::Canceled, 1));
        assert_eq!((completed_run.outcome, completed_run.runs), (Phase::Completed, 2));
        assert!(sent.iter().all(|message| u64::from(message.documents) == document_count));
        assert_ne!(canceled_run.message_id(), completed_run.message_id());
        assert_eq!(world.state().notifications.len(), 2, "there are more notifications");
    }
}

#[tokio::test(start_paused = true)]
async fn webhook_notification_survives_one_fault_at_any_effect() {
    for document_count in JOB_SIZES {
        // The loop ends when the index exceeds the last effect of the run.
        for fault_index in 0.. {
            let mut was_reached = false;
            for mode in FAULT_MODES {
                let world = world();
                let runner = Runner::new(&world);
                let id = start_job(&runner, &world, document_count).await;
                let faulty_effect = world.effects().len() + fault_index;
                world.inject(Fault { at: faulty_effect, mode });

                runner.run_all().await;
                runner.notify().await;
                runner.recover(12).await;

                was_reached |= world.effects().len() > faulty_effect;
                let effect = world.effects().get(faulty_effect).copied();
                let context =
                    format!("{document_count} documents, {mode:?} at {fault_index}: {effect:?}");
                let sent = queued_notifications(&world, &id);
                assert_eq!(sent.len(), 1, "{context}");
                assert_eq!(sent[0].outcome, Phase::Completed, "{context}");
                assert!(world.store().stored_notifications().is_empty(), "{context}");
            }
            if !was_reached {
                assert!(fault_index > 20, "the run has only {fault_index} effects");
                break;
            }
        }
    }
}

/// A queue that rejects every message.
struct RejectingQueue;

impl AuditQueue for RejectingQueue {
    async fn send(&self, _: &AuditRecord) -> Result<(), QueueError> {
        Err(QueueError("unavailable".into()))
    }
}

impl WebhookQueue for RejectingQueue {
    async fn queue_notification(&self, _: &WebhookNotification) -> Result<(), QueueError> {
        Err(QueueError("unavailable".into()))
    }
}

/// Runs one sweep with these audit and webhook queues.
async fn sweep_with(
    world: &World,
    queues: OutboxQueues<
        '_,
        impl RegistryWork,
        impl EventOutbox,
        impl AuditQueue,
        impl WebhookQueue,
    >,
) {
    let runner = Runner::new(world);
    let ports = FinishPorts::<World> {
        store: world,
        drive: world,
        exchange: world,
        artifacts: world,
        sealer: world,
        clock: world,
    };
    let stop_at = world.now() + SignedDuration::from_secs(300);
    let scheduler = runner.scheduler();
    sweep(&ports, &scheduler, &queues, SweepSettings::default(), stop_at).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn audit_and_webhook_queues_are_independent() {
    for webhook_queue_rejects in [true, false] {
        let world = world();
        let runner = Runner::new(&world);
        let id = start_job(&runner, &world, 1).await;
        runner.run_all().await;
        world.advance(SignedDuration::from_mins(5));
        let outcome_count = || world.state().sent_outcomes.len();
        let notification_count = || queued_notifications(&world, &id).len();

        if webhook_queue_rejects {
            let queues = OutboxQueues {
                withdrawals: world.registry(),
                events: world.audit(),
                audit: &world,
                webhook: &RejectingQueue,
            };
            sweep_with(&world, queues).await;
            assert_eq!((outcome_count(), notification_count()), (1, 0));
        } else {
            let queues = OutboxQueues {
                withdrawals: world.registry(),
                events: world.audit(),
                audit: &RejectingQueue,
                webhook: &world,
            };
            sweep_with(&world, queues).await;
            assert_eq!((outcome_count(), notification_count()), (0, 1));
        }

        sweep_with(
            &world,
            OutboxQueues {
                withdrawals: world.registry(),
                events: world.audit(),
                audit: &world,
                webhook: &world,
            },
        )
        .await;
        assert_eq!(
            (outcome_count(), notification_count()),
            (1, 1),
            "the rejected message was not sent later"
        );
    }
}
