//! Delivery of webhook notifications. A caller can name the URL of a *webhook receiver*. docferry
//! then notifies this receiver of the end of the job.
//!
//! Each notification is a message in a queue. If a delivery fails, the queue delivers the message
//! again after a pause. After the last try, the queue moves the message to the *dead-letter queue*,
//! where operators see it.

use std::time::Duration;

use docferry_domain::jitter::jitter;
use docferry_domain::job::WebhookNotification;

use crate::ports::{Clock, ReceiverError, Redelivery, WebhookReceiver};

/// Bound on the doublings of the pause, so that the factor fits into a `u32`.
const MAX_DOUBLINGS: u32 = 30;

/// Limits of the retries of a notification.
#[derive(Debug, Clone, Copy)]
pub struct WebhookSettings {
    /// Pause after the first failed try; each later pause is four times as long.
    pub first_pause: Duration,
    /// Maximum pause, even if a receiver asks for a longer one. At most 12 hours.
    pub longest_pause: Duration,
    /// Number of deliveries after which the queue moves a message to the dead-letter queue.
    pub most_tries: u32,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(3 * 3600),
            most_tries: 12,
        }
    }
}

impl WebhookSettings {
    /// Returns the pause after this number of failed tries: exponential backoff with jitter.
    ///
    /// - Half of the pause is fixed. The other half varies by job, so that notifications of jobs
    ///   that ended at the same time are not retried at the same time.
    /// - `requested` is the pause that the receiver asks for. It is used if it is longer.
    /// - The pause is at most `longest_pause`.
    /// - After the last try, the pause is zero, because the message then moves to the dead-letter
    ///   queue.
    #[must_use]
    pub fn pause(
        &self,
        notification: &WebhookNotification,
        tries: u32,
        requested: Option<Duration>,
    ) -> Duration {
        if tries >= self.most_tries {
            return Duration::ZERO;
        }
        // Each pause is four times as long as the one before, which is two doublings.
        let doublings = tries.saturating_sub(1).saturating_mul(2).min(MAX_DOUBLINGS);
        let full_pause = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let half_pause = full_pause / 2;
        let jittered =
            half_pause + jitter(&notification.job_id, full_pause.saturating_sub(half_pause));
        jittered.max(requested.unwrap_or_default()).min(self.longest_pause)
    }
}

/// A message received from the queue.
#[derive(Debug, Clone)]
pub struct ReceivedNotification {
    /// The notification.
    pub notification: WebhookNotification,
    /// The queue's receipt handle of this delivery.
    pub receipt: String,
    /// Number of deliveries, including this one.
    pub tries: u32,
}

/// Result of delivering a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationResult {
    /// The receiver accepted the notification. The message can be deleted.
    Delivered,
    /// The receiver wants no more notifications. The message can be deleted.
    Gone,
    /// The delivery failed. The queue redelivers the message after the pause, or moves it to the
    /// dead-letter queue.
    NotYet {
        /// The failure.
        why: ReceiverError,
        /// Time until the redelivery.
        pause: Duration,
    },
}

/// Notifies a receiver of the end of a job. If that fails, makes the queue redeliver the message
/// after a pause.
///
/// A failing receiver never affects the job. docferry also retries a receiver whose address it may
/// not call, because the host name of the receiver may resolve to another address later.
pub async fn notify_receiver(
    receiver: &impl WebhookReceiver,
    redelivery: &impl Redelivery,
    clock: &impl Clock,
    settings: &WebhookSettings,
    received: &ReceivedNotification,
) -> NotificationResult {
    let why = match receiver.deliver(&received.notification, clock.now()).await {
        Ok(()) => return NotificationResult::Delivered,
        Err(ReceiverError::Gone) => return NotificationResult::Gone,
        Err(why) => why,
    };
    let requested = match &why {
        ReceiverError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    let pause = settings.pause(&received.notification, received.tries, requested);
    if let Err(error) = redelivery.delay_redelivery(&received.receipt, pause).await {
        // The queue then redelivers the message after its visibility time-out.
        let (id, cause) = (received.notification.job_id.as_str(), error.0.to_string());
        tracing::warn!(job.id = id, error.cause = cause, "redelivery not delayed");
    }
    NotificationResult::NotYet { why, pause }
}
