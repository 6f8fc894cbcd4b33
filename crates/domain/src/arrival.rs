use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{PushedSource, STORE_CLOCK_TOLERANCE};

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
    /// Whether this push can have brought the object.
    ///
    /// An object that is not older than the push always counts. The clocks of two nodes of
    /// one store may differ, so an object that seems older by at most
    /// [`STORE_CLOCK_TOLERANCE`] counts when it did not lie there at the time of the push.
    #[must_use]
    pub fn is_from_push(&self, source: &PushedSource) -> bool {
        self.is_since(source.requested_at)
            || (self.is_about_since(source.requested_at)
                && match &source.found {
                    Some(FoundObject::Absent) => true,
                    Some(FoundObject::Before(found) | FoundObject::After(found)) => {
                        !found.is_same(self)
                    }
                    None => false,
                })
    }

    /// Whether the object may be of this push or a little older, and only another push can
    /// tell: it was there when the source had answered, and nobody looked before.
    fn is_ambiguous(&self, source: &PushedSource) -> bool {
        !self.is_from_push(source)
            && self.is_about_since(source.requested_at)
            && matches!(&source.found, Some(FoundObject::After(found)) if found.is_same(self))
    }

    /// Whether the object was written at this time of the store or later, to the second.
    fn is_since(&self, requested_at: Timestamp) -> bool {
        self.last_modified.as_second() >= requested_at.as_second()
    }

    /// Whether the object was written at this time of the store or later, as far as two
    /// nodes of the store agree on the time.
    #[must_use]
    pub fn is_about_since(&self, requested_at: Timestamp) -> bool {
        self.is_since(requested_at - STORE_CLOCK_TOLERANCE)
    }
}

/// The object that lay under an exchange key at the time of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FoundObject {
    /// No object.
    Absent,
    /// An object that was there before the source was asked: not of this push.
    Before(ObjectVersion),
    /// An object that was there just after the source had named the key: left over, or of
    /// this push already.
    After(ObjectVersion),
}

impl FoundObject {
    /// The result of a HEAD before the source was asked.
    #[must_use]
    pub fn before(head: Option<ObjectHead>) -> Self {
        head.map_or(Self::Absent, |head| Self::Before(head.into()))
    }

    /// The result of a HEAD just after the source named the key.
    #[must_use]
    pub fn after(head: Option<ObjectHead>) -> Self {
        head.map_or(Self::Absent, |head| Self::After(head.into()))
    }
}

/// Distinguishes an object from others that lay under its key. Writing the same bytes twice
/// within one second makes two objects of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// Entity tag, quotes included.
    pub etag: String,
    /// By the clock of the store's node, to the second.
    pub last_modified: Timestamp,
}

impl ObjectVersion {
    fn is_same(&self, head: &ObjectHead) -> bool {
        self.etag == head.etag && self.last_modified.as_second() == head.last_modified.as_second()
    }
}

impl From<ObjectHead> for ObjectVersion {
    fn from(head: ObjectHead) -> Self {
        let ObjectHead { etag, last_modified, .. } = head;
        Self { etag, last_modified }
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
    /// An object of the announced size is there, but it may be left over from an earlier
    /// push: only another push can tell.
    Ambiguous,
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
/// An object left over from before this push is not an arrival: see
/// [`ObjectHead::is_from_push`]. An object of another size may be a part that is going to be
/// replaced, so it is waited for until the deadline.
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
    if head.is_some_and(|head| head.size == source.size && head.is_ambiguous(source)) {
        return ArrivalVerdict::Ambiguous;
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
            found: None,
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

    /// The clock of one node is three seconds behind that of another.
    #[test]
    fn object_of_a_slow_node_counts_when_it_was_not_there_before() {
        let judge = |found, written: i64| {
            let source = PushedSource { found: Some(found), ..source() };
            judge_arrival(&source, Some(&head(100, written)), at(1001), RULES)
        };
        let found = |written| Some(head(100, written));
        let waits = ArrivalVerdict::Wait { seconds: 1 };
        assert_eq!(judge(FoundObject::Absent, 997), ArrivalVerdict::Arrived);
        assert_eq!(judge(FoundObject::before(found(996)), 997), ArrivalVerdict::Arrived);
        assert_eq!(judge(FoundObject::after(found(990)), 997), ArrivalVerdict::Arrived);
        assert_eq!(judge(FoundObject::before(found(997)), 997), waits, "left over");
        assert_eq!(judge(FoundObject::after(found(997)), 997), ArrivalVerdict::Ambiguous);
        assert_eq!(judge(FoundObject::Absent, 994), waits, "beyond the tolerance");
        assert_eq!(judge(FoundObject::after(found(1000)), 1000), ArrivalVerdict::Arrived);
    }

    #[test]
    fn ambiguous_object_of_another_size_is_waited_for() {
        let found = Some(FoundObject::after(Some(head(50, 997))));
        let source = PushedSource { found, ..source() };
        let verdict = judge_arrival(&source, Some(&head(50, 997)), at(1001), RULES);
        assert_eq!(verdict, ArrivalVerdict::Wait { seconds: 1 });
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
