//! Arrival of a document in the exchange bucket. A *push* is a request to the document source to
//! copy a document into this bucket; the object arrives some time after the response.
//!
//! The workflow's step `poll` sends a HEAD request for the object's key. The rules in this file
//! decide whether the object under the key is from this push, and how long to wait for the next
//! check.

use jiff::{SignedDuration, Timestamp};

use crate::transfer::{FoundObject, ObjectHead, PushedSource, STORE_CLOCK_TOLERANCE};

/// Time to wait after a push if the bucket contains an object that may be from an earlier push.
/// Meanwhile, the object of this push may replace it. After this time, the document is pushed
/// again.
const AMBIGUITY_WAIT: SignedDuration = SignedDuration::from_secs(20);
/// Shortest pause between two checks, in seconds.
const MIN_PAUSE_SECONDS: i64 = 1;
/// Longest pause between two checks, in seconds.
const MAX_PAUSE_SECONDS: u32 = 30;

impl ObjectHead {
    /// Returns whether this push may have written the object.
    ///
    /// This is the case if the object's time is not before the push. The two times may come from
    /// two nodes of the store, whose clocks differ. So an object that seems older by at most
    /// [`STORE_CLOCK_TOLERANCE`] counts as well, if a HEAD request has shown that it did not exist
    /// at the time of the push.
    #[must_use]
    pub fn is_from_push(&self, source: &PushedSource) -> bool {
        self.is_written_since(source.requested_at)
            || (self.may_be_written_since(source.requested_at)
                && match &source.found {
                    Some(FoundObject::Absent) => true,
                    Some(FoundObject::Before(found) | FoundObject::After(found)) => {
                        !found.is_same(self)
                    }
                    None => false,
                })
    }

    /// Returns whether the object may be from this push or from a slightly earlier one.
    ///
    /// This is the case if a HEAD request just after the push found the object, and no HEAD request
    /// was sent before the push. Only another push resolves this.
    fn is_ambiguous(&self, source: &PushedSource) -> bool {
        !self.is_from_push(source)
            && self.may_be_written_since(source.requested_at)
            && matches!(&source.found, Some(FoundObject::After(found)) if found.is_same(self))
    }

    /// Returns whether the store wrote the object at this time or later, to the second.
    #[must_use]
    pub fn is_written_since(&self, requested_at: Timestamp) -> bool {
        self.last_modified.as_second() >= requested_at.as_second()
    }

    /// Returns whether the store may have written the object at this time or later. In contrast to
    /// `is_written_since`, it allows for different clocks of the store's nodes.
    fn may_be_written_since(&self, requested_at: Timestamp) -> bool {
        self.is_written_since(requested_at - STORE_CLOCK_TOLERANCE)
    }
}

/// Limits of the wait for an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivalRules {
    /// Longest time from the push to the arrival.
    pub deadline: SignedDuration,
}

/// Result of a check of the exchange bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalVerdict {
    /// The whole object is there, and it is from this push.
    Arrived,
    /// The bucket still contains an object of the announced size that may be from an earlier push.
    /// The document must be pushed again.
    Ambiguous,
    /// The object has not arrived yet. Check again after a pause.
    Wait {
        /// Pause in seconds, 1 to 30. It does not exceed the time until the deadline, except that
        /// it is at least 1.
        seconds: u32,
    },
    /// The deadline has passed, and there is no object of this push.
    NotArrived,
    /// The deadline has passed, and the object does not have the announced size.
    WrongSize,
}

/// Decides whether the object that a push announced has arrived.
///
/// An object from before this push does not count, see [`ObjectHead::is_from_push`]. An object of
/// another size may be incomplete and be replaced later, so the wait continues until the deadline.
///
/// The pause is half of the time since the push, limited to 1 s to 30 s. There is no counter of
/// checks, so a repeated invocation does not change the pauses.
#[must_use]
pub fn check_arrival(
    source: &PushedSource,
    head: Option<&ObjectHead>,
    now: Timestamp,
    rules: ArrivalRules,
) -> ArrivalVerdict {
    let pushed_object = head.filter(|head| head.is_from_push(source));
    if pushed_object.is_some_and(|head| head.size == source.size) {
        return ArrivalVerdict::Arrived;
    }
    // The clocks of two invocations may differ a little, so the difference can be negative.
    let waited = now.duration_since(source.pushed_at).max(SignedDuration::ZERO);
    if waited >= AMBIGUITY_WAIT
        && head.is_some_and(|head| head.size == source.size && head.is_ambiguous(source))
    {
        return ArrivalVerdict::Ambiguous;
    }
    let remaining = rules.deadline - waited;
    if remaining <= SignedDuration::ZERO {
        return if pushed_object.is_some() {
            ArrivalVerdict::WrongSize
        } else {
            ArrivalVerdict::NotArrived
        };
    }
    let pause = (waited.as_secs() / 2)
        .clamp(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS.into())
        .min(remaining.as_secs().max(MIN_PAUSE_SECONDS));
    ArrivalVerdict::Wait { seconds: u32::try_from(pause).unwrap_or(MAX_PAUSE_SECONDS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ArrivalRules = ArrivalRules { deadline: SignedDuration::from_secs(600) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Returns a push of 100 bytes, requested and recorded at second 1000.
    fn source() -> PushedSource {
        PushedSource {
            key: "a.pdf".into(),
            name: "a.pdf".parse().unwrap(),
            mime: Some("application/pdf".into()),
            size: 100,
            requested_at: at(1000),
            found: None,
            asked_at: None,
            pushed_at: at(1000),
            must_end_by: None,
        }
    }

    fn head(size: u64, last_modified: i64) -> ObjectHead {
        ObjectHead { size, etag: "\"e\"".into(), last_modified: at(last_modified) }
    }

    fn check(head: Option<ObjectHead>, now: i64) -> ArrivalVerdict {
        check_arrival(&source(), head.as_ref(), at(now), RULES)
    }

    #[test]
    fn whole_object_of_the_push_has_arrived_even_late() {
        assert_eq!(check(Some(head(100, 1000)), 1001), ArrivalVerdict::Arrived);
        assert_eq!(check(Some(head(100, 1700)), 1701), ArrivalVerdict::Arrived);
    }

    #[test]
    fn object_from_before_the_push_is_not_an_arrival() {
        assert_eq!(check(Some(head(100, 999)), 1001), ArrivalVerdict::Wait { seconds: 1 });
        assert_eq!(check(Some(head(100, 999)), 1600), ArrivalVerdict::NotArrived);
    }

    /// The clock of one node is three seconds behind the clock of another.
    #[test]
    fn object_of_a_slow_node_counts_when_it_was_not_there_before() {
        let check_at = |found, written: i64, now: i64| {
            let source = PushedSource { found: Some(found), ..source() };
            check_arrival(&source, Some(&head(100, written)), at(now), RULES)
        };
        let check = |found, written| check_at(found, written, 1001);
        let head_from = |written| Some(head(100, written));
        let waits = ArrivalVerdict::Wait { seconds: 1 };

        assert_eq!(check(FoundObject::Absent, 997), ArrivalVerdict::Arrived);
        assert_eq!(check(FoundObject::before(head_from(996)), 997), ArrivalVerdict::Arrived);
        assert_eq!(check(FoundObject::after(head_from(990)), 997), ArrivalVerdict::Arrived);
        assert_eq!(check(FoundObject::before(head_from(997)), 997), waits, "from before the push");
        assert_eq!(
            check(FoundObject::after(head_from(997)), 997),
            waits,
            "may be replaced by the object of the push"
        );
        let verdict = check_at(FoundObject::after(head_from(997)), 997, 1020);
        assert_eq!(verdict, ArrivalVerdict::Ambiguous);
        assert_eq!(check(FoundObject::Absent, 994), waits, "beyond the tolerance");
        assert_eq!(check(FoundObject::after(head_from(1000)), 1000), ArrivalVerdict::Arrived);
    }

    #[test]
    fn ambiguous_object_of_another_size_is_waited_for() {
        let found = Some(FoundObject::after(Some(head(50, 997))));
        let source = PushedSource { found, ..source() };
        let verdict = check_arrival(&source, Some(&head(50, 997)), at(1020), RULES);
        assert_eq!(verdict, ArrivalVerdict::Wait { seconds: 10 });
    }

    #[test]
    fn object_of_another_size_fails_only_at_the_deadline() {
        assert_eq!(check(Some(head(50, 1001)), 1010), ArrivalVerdict::Wait { seconds: 5 });
        assert_eq!(check(Some(head(50, 1001)), 1600), ArrivalVerdict::WrongSize);
    }

    /// Regression: the service before docferry polled without a pause. The push is at second
    /// 1000, so the deadline is at second 1600. Second 990 is before the push.
    #[test]
    fn arrival_pause_grows_to_thirty_seconds_and_ends_at_the_deadline() {
        let pauses: Vec<_> = [1000, 1010, 1050, 1500, 1595, 1599, 990]
            .into_iter()
            .map(|now| check(None, now))
            .map(|verdict| if let ArrivalVerdict::Wait { seconds } = verdict { seconds } else { 0 })
            .collect();
        assert_eq!(pauses, [1, 5, 25, 30, 5, 1, 1]);
        assert_eq!(check(None, 1600), ArrivalVerdict::NotArrived);
    }
}
