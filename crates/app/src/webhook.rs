//! Tells whoever a caller named that a job has ended.

use std::time::Duration;

use docferry_domain::{Notice, spread};

use crate::ports::{Clock, Receiver, ReceiverError, Redelivery};

/// How often a receiver is tried, and how long it is left alone in between.
#[derive(Debug, Clone, Copy)]
pub struct WebhookSettings {
    /// After the first try that failed; each later pause is four times as long.
    pub first_pause: Duration,
    /// No pause is longer, whatever a receiver wishes. 12 hours at most.
    pub longest_pause: Duration,
    /// As often as the queue gives a message before it puts it away.
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
    /// How long to wait after this many tries have failed.
    ///
    /// Half of it is the same for all, the rest is the job's own: jobs that ended together
    /// do not come back together. A receiver's own wish counts if it is longer. After the
    /// last try there is nothing to wait for: the queue puts the message away.
    #[must_use]
    pub fn pause(&self, notice: &Notice, tries: u32, wish: Option<Duration>) -> Duration {
        if tries >= self.most_tries {
            return Duration::ZERO;
        }
        let doublings = tries.saturating_sub(1).saturating_mul(2).min(30);
        let whole = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let half = whole / 2;
        let own = half + spread(&notice.job_id, whole.saturating_sub(half));
        own.max(wish.unwrap_or_default()).min(self.longest_pause)
    }
}

/// A message of the queue, as it was given to us.
#[derive(Debug, Clone)]
pub struct Given {
    /// What it holds.
    pub notice: Notice,
    /// The queue's word for this delivery.
    pub receipt: String,
    /// How often it was given, this time included.
    pub tries: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The receiver has it: the message is done with.
    Delivered,
    /// The receiver wants nothing any more: the message is done with.
    Gone,
    /// The queue gives the message again after the pause, or puts it away.
    NotYet {
        /// Why.
        why: ReceiverError,
        /// How long until then.
        pause: Duration,
    },
}

/// Tells a receiver of the end of a job; when that fails, has the queue give the message
/// again after a pause.
///
/// Nothing here touches the job: a receiver that is dead costs it nothing. An address that
/// may not be called goes the way of one that does not answer, because a name may lead
/// elsewhere later; at the end it lies among the dead letters, where somebody looks.
pub async fn tell_receiver(
    receiver: &impl Receiver,
    redelivery: &impl Redelivery,
    clock: &impl Clock,
    settings: &WebhookSettings,
    given: &Given,
) -> Told {
    let why = match receiver.deliver(&given.notice, clock.now()).await {
        Ok(()) => return Told::Delivered,
        Err(ReceiverError::Gone) => return Told::Gone,
        Err(why) => why,
    };
    let wish = match &why {
        ReceiverError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    let pause = settings.pause(&given.notice, given.tries, wish);
    if let Err(error) = redelivery.hold_back(&given.receipt, pause).await {
        // The queue's own time-out does it then.
        let cause = error.0.to_string();
        tracing::warn!(job.id = given.notice.job_id.as_str(), error.cause = cause, "not held back");
    }
    Told::NotYet { why, pause }
}
