//! Tests of webhooks: the receiver is notified of the end of each run of a job, and no job waits
//! for its receiver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Mutex;
use std::time::Duration;

use common::{SETTINGS, bytes};
use docferry_app::finish::FinishPorts;
use docferry_app::job::retry::retry_job;
use docferry_app::job::{JobSettings, NewJob, cancel_job, initiate_job};
use docferry_app::notification::webhook::{
    NotificationResult, ReceivedNotification, WebhookSettings, notify_receiver,
};
use docferry_app::ports::{
    AuditQueue, Clock as _, IndexedDocument, QueueError, ReceiverError, Redelivery, WebhookQueue,
    WebhookReceiver,
};
use docferry_app::recovery::{OutboxQueues, SweepSettings, sweep};
use docferry_domain::ids::{FileId, TransferId};
use docferry_domain::job::{OnItemError, WebhookNotification};
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{DownloadTarget, OutcomeRecord, Target};
use docferry_testkit::builders::callback;
use docferry_testkit::{Fault, Mode, Runner, World};
use jiff::{SignedDuration, Timestamp};

const MODES: [Mode; 3] = [Mode::CrashBefore, Mode::CrashAfter, Mode::ResponseLost];
const JOBS: JobSettings =
    JobSettings { initiate: SETTINGS, job_ttl: SignedDuration::from_hours(24) };

fn world() -> World {
    let world = World::default();
    for n in 0..3 {
        let guid = format!("{n:06}AA");
        world.add_document(&guid, &format!("document {n}.pdf"), bytes(1000));
        let object_guid = guid.parse().unwrap();
        let document = IndexedDocument { object_guid, name: None, size: None };
        world.state().index.insert(FileId::new(n), document);
    }
    world
}

/// Requests a job with a webhook.
async fn start_job(runner: &Runner, world: &World, documents: u64) -> TransferId {
    let person = Person::new("p");
    let new = NewJob {
        owner: "scv".into(),
        on_behalf_of: None,
        files: (0..documents).map(FileId::new).collect(),
        is_single: documents == 1,
        target: Target::Download(DownloadTarget { person }),
        priority: Priority::Normal,
        on_item_error: OnItemError::Fail,
        callback: Some(callback()),
        name: None,
    };
    initiate_job(&runner.scheduler(), world, JOBS, new).await.unwrap().job_id
}

/// Notifications of a job in the webhook queue, without duplicates.
fn queued_notices(world: &World, id: &TransferId) -> Vec<WebhookNotification> {
    let mut notifications = world.state().notifications.clone();
    notifications.retain(|notification| notification.job_id == *id);
    notifications.sort_by_key(|notification| notification.end_number);
    notifications.dedup();
    notifications
}

#[tokio::test(start_paused = true)]
async fn each_run_of_a_job_sends_one_webhook_notification() {
    for documents in [1, 3] {
        let world = world();
        let runner = Runner::new(&world);
        let id = start_job(&runner, &world, documents).await;
        let scheduler = runner.scheduler();
        cancel_job(&scheduler, SETTINGS.record_ttl, "scv", &id).await.unwrap();
        runner.run_all().await;
        runner.notify().await;
        retry_job(&scheduler, JOBS, 3, "scv", &id).await.unwrap();
        runner.run_all().await;
        runner.notify().await;
        let sent = queued_notices(&world, &id);
        let ends: Vec<_> = sent.iter().map(|it| (it.outcome, it.runs, it.documents)).collect();
        let documents = u16::try_from(documents).unwrap();
        let expected = [(Phase::Canceled, 1, documents), (Phase::Completed, 2, documents)];
        assert_eq!(ends, expected);
        assert_ne!(sent[0].message_id(), sent[1].message_id());
        assert_eq!(world.state().notifications.len(), 2, "there are more notifications");
    }
}

#[tokio::test(start_paused = true)]
async fn webhook_notification_survives_one_fault_at_any_effect() {
    for documents in [1, 3] {
        for at in 0.. {
            let mut reached = false;
            for mode in MODES {
                let world = world();
                let runner = Runner::new(&world);
                let id = start_job(&runner, &world, documents).await;
                let first = world.effects().len();
                world.inject(Fault { at: first + at, mode });
                runner.run_all().await;
                runner.notify().await;
                runner.recover(12).await;
                reached |= world.effects().len() > first + at;
                let effect = world.effects().get(first + at).copied();
                let context = format!("{documents}, {mode:?} at {at}: {effect:?}");
                let sent = queued_notices(&world, &id);
                assert_eq!(sent.len(), 1, "{context}");
                assert_eq!(sent[0].outcome, Phase::Completed, "{context}");
                assert!(world.store().stored_notifications().is_empty(), "{context}");
            }
            if !reached {
                assert!(at > 20, "the run has only {at} effects");
                break;
            }
        }
    }
}

/// A queue that rejects every message.
struct RejectingQueue;

impl AuditQueue for RejectingQueue {
    async fn send(&self, _: &OutcomeRecord) -> Result<(), QueueError> {
        Err(QueueError("unavailable".into()))
    }
}

impl WebhookQueue for RejectingQueue {
    async fn queue_notification(&self, _: &WebhookNotification) -> Result<(), QueueError> {
        Err(QueueError("unavailable".into()))
    }
}

/// Runs one sweep with these audit and webhook queues.
async fn sweep_with(world: &World, queues: (&impl AuditQueue, &impl WebhookQueue)) {
    let runner = Runner::new(world);
    let w = world;
    let ports =
        FinishPorts::<World> { store: w, drive: w, exchange: w, artifacts: w, sealer: w, clock: w };
    let stop_at = w.now() + SignedDuration::from_secs(300);
    let scheduler = runner.scheduler();
    let queues = OutboxQueues { audit: queues.0, webhook: queues.1 };
    sweep(&ports, &scheduler, &queues, SweepSettings::default(), stop_at).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn audit_and_webhook_queues_are_independent() {
    for webhooks_are_rejected in [true, false] {
        let world = world();
        let runner = Runner::new(&world);
        let id = start_job(&runner, &world, 1).await;
        runner.run_all().await;
        world.advance(SignedDuration::from_mins(5));
        let outcomes = || world.state().sent_outcomes.len();
        let (expected_outcomes, expected_notices) = if webhooks_are_rejected {
            sweep_with(&world, (&world, &RejectingQueue)).await;
            (1, 0)
        } else {
            sweep_with(&world, (&RejectingQueue, &world)).await;
            (0, 1)
        };
        assert_eq!(
            (outcomes(), queued_notices(&world, &id).len()),
            (expected_outcomes, expected_notices)
        );
        sweep_with(&world, (&world, &world)).await;
        assert_eq!(
            (outcomes(), queued_notices(&world, &id).len()),
            (1, 1),
            "the rejected message was not sent later"
        );
    }
}

/// A receiver that always gives the same response, and a queue that records the delays of its
/// messages.
struct Endpoint {
    /// Response to each notification.
    response: Result<(), ReceiverError>,
    /// Requested delays, in order.
    delays: Mutex<Vec<Duration>>,
    /// Whether requests for a delay fail.
    loses_delays: bool,
}

impl Endpoint {
    fn responding(response: Result<(), ReceiverError>) -> Self {
        Self { response, delays: Mutex::default(), loses_delays: false }
    }
}

impl WebhookReceiver for Endpoint {
    async fn deliver(&self, _: &WebhookNotification, _: Timestamp) -> Result<(), ReceiverError> {
        self.response.clone()
    }
}

impl Redelivery for Endpoint {
    async fn delay_redelivery(&self, receipt: &str, delay: Duration) -> Result<(), QueueError> {
        assert_eq!(receipt, "receipt");
        self.delays.lock().unwrap().push(delay);
        if self.loses_delays { Err(QueueError("lost".into())) } else { Ok(()) }
    }
}

/// A message that has been received `tries` times.
fn message(tries: u32) -> ReceivedNotification {
    let notification = WebhookNotification {
        job_id: TransferId::from_u128(7),
        end_number: 1,
        callback: callback(),
        outcome: Phase::Completed,
        failure: None,
        runs: 1,
        documents: 1,
        failed_documents: Some(0),
        ended_at: Timestamp::UNIX_EPOCH,
        trace: None,
    };
    ReceivedNotification { notification, receipt: "receipt".into(), tries }
}

/// Handles one message.
async fn handle(endpoint: &Endpoint, tries: u32) -> NotificationResult {
    let settings = WebhookSettings::default();
    notify_receiver(endpoint, endpoint, &World::default(), &settings, &message(tries)).await
}

#[tokio::test]
async fn delivered_and_gone_receivers_are_not_retried() {
    let endpoint = Endpoint::responding(Ok(()));
    assert_eq!(handle(&endpoint, 1).await, NotificationResult::Delivered);
    assert!(endpoint.delays.lock().unwrap().is_empty());
    let endpoint = Endpoint::responding(Err(ReceiverError::Gone));
    assert_eq!(handle(&endpoint, 1).await, NotificationResult::Gone);
    assert!(endpoint.delays.lock().unwrap().is_empty());
}

#[tokio::test]
async fn webhook_backoff_grows_within_bounds() {
    let error = ReceiverError::Unreachable("no connection was made");
    let endpoint = Endpoint::responding(Err(error.clone()));
    for tries in 1..=12 {
        assert!(matches!(handle(&endpoint, tries).await, NotificationResult::NotYet { .. }));
    }
    let pauses = endpoint.delays.lock().unwrap().clone();
    let longest = WebhookSettings::default().longest_pause;
    assert!(pauses[0] >= Duration::from_millis(2500) && pauses[0] <= Duration::from_secs(5));
    for pair in pauses[..5].windows(2) {
        assert!(pair[1] > pair[0] * 2, "{pauses:?}");
    }
    assert!(pauses.iter().all(|pause| *pause <= longest), "{pauses:?}");
    assert_eq!(pauses[11], Duration::ZERO, "the queue moves the message to the dead-letter queue");
    // A forbidden address is retried in the same way.
    let endpoint = Endpoint::responding(Err(ReceiverError::Forbidden));
    assert!(matches!(handle(&endpoint, 1).await, NotificationResult::NotYet { .. }));
    // When the request for a delay fails, the queue's own visibility timeout applies.
    let endpoint = Endpoint { loses_delays: true, ..Endpoint::responding(Err(error)) };
    assert!(matches!(handle(&endpoint, 1).await, NotificationResult::NotYet { .. }));
}

#[tokio::test]
async fn retry_after_of_a_receiver_is_bounded() {
    let rejected = |seconds| ReceiverError::Refused {
        status: 503,
        retry_after: Some(Duration::from_secs(seconds)),
    };
    for (retry_after, least, most) in [(0, 2, 5), (600, 600, 600), (1_000_000, 10_800, 10_800)] {
        let endpoint = Endpoint::responding(Err(rejected(retry_after)));
        let NotificationResult::NotYet { pause, .. } = handle(&endpoint, 1).await else {
            panic!("{retry_after}")
        };
        assert!((least..=most).contains(&pause.as_secs()), "{retry_after}: {pause:?}");
        assert_eq!(*endpoint.delays.lock().unwrap(), [pause]);
    }
}
