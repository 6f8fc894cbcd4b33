use jiff::{SignedDuration, Timestamp};

use crate::PushedSource;

/// What a HEAD of the exchange object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size in bytes.
    pub size: u64,
    /// The entity tag as the store writes it, quotes included.
    pub etag: String,
    /// When the store wrote it, by the store's clock, to the second.
    pub last_modified: Timestamp,
}

impl ObjectHead {
    /// Whether the object can be what this push brought: it is not older. Both
    /// times are the store's own.
    #[must_use]
    pub fn is_from_push(&self, source: &PushedSource) -> bool {
        self.is_since(source.requested_at)
    }

    /// Whether the object was written at this time of the store or later, to the second.
    #[must_use]
    pub fn is_since(&self, requested_at: Timestamp) -> bool {
        self.last_modified.as_second() >= requested_at.as_second()
    }
}

/// Limits of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivalRules {
    /// How long after the push the object may take to arrive.
    pub deadline: SignedDuration,
}

/// What to do after a look at the exchange bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalVerdict {
    /// The object is there, whole, and from this push.
    Arrived,
    /// Look again after this many seconds (1–30).
    Wait {
        /// Seconds, at least 1, never past the deadline.
        seconds: u32,
    },
    /// The deadline passed and nothing of this push is there.
    NeverCame,
    /// The deadline passed and what is there has another size.
    WrongSize,
}

/// Decides whether the object that a push announced has arrived.
///
/// An object left over from before this push is not an arrival: its
/// `last_modified` is before `source.requested_at`, which was read from the same
/// store's clock just before the push. An object of another size may be a part
/// that is going to be replaced, so it is waited for until the deadline.
///
/// The pause grows with the time already waited, from 1 s to 30 s; no counter is
/// kept, so a repeated task does not shorten or stretch the wait.
#[must_use]
pub fn judge_arrival(
    source: &PushedSource,
    head: Option<&ObjectHead>,
    now: Timestamp,
    rules: ArrivalRules,
) -> ArrivalVerdict {
    let fresh = head.filter(|head| head.is_from_push(source));
    if fresh.is_some_and(|h| h.size == source.size) {
        return ArrivalVerdict::Arrived;
    }
    // Clocks of two invocations may differ a little: a negative wait counts as none.
    let waited = now.duration_since(source.pushed_at).max(SignedDuration::ZERO);
    let left = rules.deadline - waited;
    if left <= SignedDuration::ZERO {
        return if fresh.is_some() { ArrivalVerdict::WrongSize } else { ArrivalVerdict::NeverCame };
    }
    let pause = (waited.as_secs() / 2).clamp(1, 30).min(left.as_secs().max(1));
    ArrivalVerdict::Wait { seconds: u32::try_from(pause).unwrap_or(30) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ArrivalRules = ArrivalRules { deadline: SignedDuration::from_secs(600) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn source() -> PushedSource {
        PushedSource {
            key: "a.pdf".into(),
            name: "a.pdf".parse().unwrap(),
            mime: Some("application/pdf".into()),
            size: 100,
            requested_at: at(1000),
            asked_at: None,
            pushed_at: at(1000),
            must_end_by: None,
        }
    }

    fn head(size: u64, last_modified: i64) -> ObjectHead {
        ObjectHead { size, etag: "\"e\"".into(), last_modified: at(last_modified) }
    }

    fn judge(head: Option<ObjectHead>, now: i64) -> ArrivalVerdict {
        judge_arrival(&source(), head.as_ref(), at(now), RULES)
    }

    #[test]
    fn a_whole_object_of_this_push_has_arrived_even_late() {
        assert_eq!(judge(Some(head(100, 1000)), 1001), ArrivalVerdict::Arrived);
        assert_eq!(judge(Some(head(100, 1700)), 1701), ArrivalVerdict::Arrived);
    }

    #[test]
    fn an_object_left_over_from_before_is_not_an_arrival() {
        assert_eq!(judge(Some(head(100, 999)), 1001), ArrivalVerdict::Wait { seconds: 1 });
        assert_eq!(judge(Some(head(100, 999)), 1600), ArrivalVerdict::NeverCame);
    }

    #[test]
    fn a_part_is_waited_for_until_the_deadline_and_then_named() {
        assert_eq!(judge(Some(head(50, 1001)), 1010), ArrivalVerdict::Wait { seconds: 5 });
        assert_eq!(judge(Some(head(50, 1001)), 1600), ArrivalVerdict::WrongSize);
    }

    /// Regression: the old service polled without a pause.
    #[test]
    fn the_pause_grows_from_one_to_thirty_seconds_and_ends_at_the_deadline() {
        let pauses: Vec<_> = [1000, 1010, 1050, 1500, 1595, 1599, 990]
            .into_iter()
            .map(|now| judge(None, now))
            .map(|v| if let ArrivalVerdict::Wait { seconds } = v { seconds } else { 0 })
            .collect();
        assert_eq!(pauses, [1, 5, 25, 30, 5, 1, 1]);
        assert_eq!(judge(None, 1600), ArrivalVerdict::NeverCame);
    }
}
