//! Tests of the delivery of webhook notifications. They check which failed deliveries are retried,
//! and the pause before each retry.
//!
//! A notification is a message in a queue. If its receiver, the URL that a job names, cannot be
//! notified, the queue redelivers the message after a pause.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Mutex;
use std::time::Duration;

use docferry_app::notification::webhook::{
    NotificationResult, ReceivedNotification, WebhookSettings, notify_receiver,
};
use docferry_app::ports::{QueueError, ReceiverError, Redelivery, WebhookReceiver};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_testkit::World;
use docferry_testkit::builders::callback;
use jiff::Timestamp;

/// A receiver that always gives the same response, and a queue that records the delays of its
/// messages.
struct Endpoint {
    /// Response to each notification.
    response: Result<(), ReceiverError>,
    /// Delays that were requested from the queue, in order.
    delays: Mutex<Vec<Duration>>,
    /// Whether the queue rejects requests for a delay.
    rejects_delays: bool,
}

impl Endpoint {
    fn responding(response: Result<(), ReceiverError>) -> Self {
        Self { response, delays: Mutex::default(), rejects_delays: false }
    }

    fn delays(&self) -> Vec<Duration> {
        self.delays.lock().unwrap().clone()
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
        if self.rejects_delays { Err(QueueError("lost".into())) } else { Ok(()) }
    }
}

/// A message that has been received from the queue `tries` times.
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

/// Delivers a message that has been received from the queue `tries` times.
async fn deliver(endpoint: &Endpoint, tries: u32) -> NotificationResult {
    let settings = WebhookSettings::default();
    notify_receiver(endpoint, endpoint, &World::default(), &settings, &message(tries)).await
}

#[tokio::test]
async fn delivered_and_gone_receivers_are_not_retried() {
    let accepting = Endpoint::responding(Ok(()));
    assert_eq!(deliver(&accepting, 1).await, NotificationResult::Delivered);
    assert!(accepting.delays().is_empty());

    let gone = Endpoint::responding(Err(ReceiverError::Gone));
    assert_eq!(deliver(&gone, 1).await, NotificationResult::Gone);
    assert!(gone.delays().is_empty());
}

/// An endpoint to which no connection can be made.
fn unreachable_endpoint() -> Endpoint {
    Endpoint::responding(Err(ReceiverError::Unreachable("no connection was made")))
}

/// Number of tries before a notification goes to the dead-letter queue, as `docs/API.md` says.
const MOST_TRIES: u32 = 12;
/// Longest pause between two tries, three hours, as `docs/API.md` says.
const LONGEST_PAUSE_SECONDS: u64 = 10_800;

#[tokio::test]
async fn webhook_backoff_grows_within_bounds() {
    let endpoint = unreachable_endpoint();
    let longest_pause = Duration::from_secs(LONGEST_PAUSE_SECONDS);

    for tries in 1..=MOST_TRIES {
        assert!(matches!(deliver(&endpoint, tries).await, NotificationResult::NotYet { .. }));
    }

    let pauses = endpoint.delays();
    let first_pause = Duration::from_millis(2_500)..=Duration::from_secs(5);
    assert!(first_pause.contains(&pauses[0]), "{pauses:?}");
    assert_eq!(pauses.len(), 12);
    // The first five pauses are shorter than the maximum, so each is longer than the one before.
    for pair in pauses[..5].windows(2) {
        assert!(pair[1] > pair[0] * 2, "{pauses:?}");
    }
    assert!(pauses.iter().all(|pause| *pause <= longest_pause), "{pauses:?}");
    assert_eq!(
        pauses.last(),
        Some(&Duration::ZERO),
        "the queue moves the message to the dead-letter queue"
    );
}

/// The host name of the receiver resolves to a forbidden address. It may resolve to another address
/// later.
#[tokio::test]
async fn notification_for_a_forbidden_address_is_retried() {
    let endpoint = Endpoint::responding(Err(ReceiverError::Forbidden));
    assert!(matches!(deliver(&endpoint, 1).await, NotificationResult::NotYet { .. }));
}

/// The queue does not accept a delay for the message. It then redelivers the message after its
/// default visibility timeout.
#[tokio::test]
async fn notification_is_retried_even_if_the_queue_rejects_the_delay() {
    let endpoint = Endpoint { rejects_delays: true, ..unreachable_endpoint() };
    assert!(matches!(deliver(&endpoint, 1).await, NotificationResult::NotYet { .. }));
}

#[tokio::test]
async fn retry_after_of_a_receiver_is_bounded() {
    let busy = |retry_after_seconds| ReceiverError::Refused {
        status: 503,
        retry_after: Some(Duration::from_secs(retry_after_seconds)),
    };
    // The first pause without `Retry-After` is 2.5 to 5 seconds.
    for (retry_after_seconds, expected_pause) in
        [(0, 2..=5), (600, 600..=600), (1_000_000, LONGEST_PAUSE_SECONDS..=LONGEST_PAUSE_SECONDS)]
    {
        let endpoint = Endpoint::responding(Err(busy(retry_after_seconds)));

        let result = deliver(&endpoint, 1).await;

        let NotificationResult::NotYet { pause, .. } = result else { panic!("{result:?}") };
        assert!(expected_pause.contains(&pause.as_secs()), "{retry_after_seconds}: {pause:?}");
        assert_eq!(endpoint.delays(), [pause]);
    }
}
