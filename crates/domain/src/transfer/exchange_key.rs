//! Identity of objects in the exchange bucket. The rules in this file decide whether an object
//! under a key is the document that a transfer requested.
//!
//! A *push* is a request to the document source to copy a document into the exchange bucket:
//!
//! 1. docferry records the push. Until the source responds, the push is *unnamed*, because its key
//!    is not known.
//! 2. The source responds with the key. Two documents may get the same key.
//! 3. The object arrives under the key. Until then, the push is *outstanding*.
//!
//! So neither the key nor the size identifies a document. docferry identifies it by the push that
//! wrote the object.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::ObjectGuid;
use crate::transfer::{OutstandingPush, PushedSource};

/// Maximum time between the request of a push and its response. The Lambda function that requests
/// the push may run for 60 s. The other 30 s are a margin.
pub const MAX_PUSH_DURATION: SignedDuration = SignedDuration::from_secs(90);

/// Maximum time for which an unnamed push of another document delays the acceptance of an object.
///
/// The first retries of a push take less time than this. Without a limit, a push to which the
/// source never responds would block all other documents.
pub const UNNAMED_PUSH_TIMEOUT: SignedDuration = SignedDuration::from_secs(20);

/// State of a key in the exchange bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeKey {
    /// The document whose transfers use the key. It is `None` in two cases: no transfer uses the
    /// key, or an older version, which did not distinguish documents, recorded the transfers.
    pub holder: Option<ObjectGuid>,
    /// Pushes for which the source named this key, oldest first. They may belong to several
    /// documents.
    pub outstanding: Vec<OutstandingPush>,
}

/// Key of an earlier push whose object has not arrived yet. The object may still arrive, even after
/// the transfer has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateArrivalKey {
    /// The key in the exchange bucket.
    pub key: String,
    /// Time of the exchange store's clock just before the push was requested. An object with an
    /// earlier time is not from that push.
    pub requested_at: Timestamp,
}

/// Result of [`identify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// No push of another document can have written the object.
    Own,
    /// A push of another document may have written the object or may still replace it. A later
    /// check may give a definite result.
    Unknown,
    /// A push of another document may have written the object, and no outstanding push can still
    /// replace the object. Only a new push of the transfer's document resolves this.
    Lost,
}

/// Decides whether an object is the document `guid`. The object was written at `written_at`, and
/// the transfer requested the document by the push `own_push`.
///
/// `named_pushes` are the recorded pushes for which the source named this key. `unnamed_pushes` are
/// the pushes whose keys are still unknown. A push in these lists is ignored in three cases:
///
/// - It is a push of the document `guid`.
/// - It cannot have written the object.
/// - Its time is over: the arrival deadline of a named push passed before `own_push` began, or an
///   unnamed push is older than [`UNNAMED_PUSH_TIMEOUT`].
#[must_use]
pub fn identify(
    guid: &ObjectGuid,
    own_push: &PushedSource,
    written_at: Timestamp,
    named_pushes: &[OutstandingPush],
    unnamed_pushes: &[OutstandingPush],
    now: Timestamp,
    arrival_deadline: SignedDuration,
) -> Identity {
    let is_possible_writer = |push: &&OutstandingPush| {
        push.guid != *guid
            && push.may_have_brought(written_at)
            && push.may_arrive(push_began_at(own_push), arrival_deadline)
    };
    let mut identity = Identity::Own;
    for push in named_pushes.iter().filter(is_possible_writer) {
        if push.may_arrive(now, arrival_deadline) {
            return Identity::Unknown;
        }
        identity = Identity::Lost;
    }
    let delays_acceptance = |push: &OutstandingPush| {
        push.guid != *guid
            && push.may_have_brought(written_at)
            && now.duration_since(push.pushed_at) < UNNAMED_PUSH_TIMEOUT
    };
    if unnamed_pushes.iter().any(delays_acceptance) { Identity::Unknown } else { identity }
}

/// Returns the time just before the push `own_push` was requested. For a record of an older
/// version, which does not contain this time, returns the earliest possible time.
fn push_began_at(own_push: &PushedSource) -> Timestamp {
    own_push.asked_at.unwrap_or(own_push.pushed_at - MAX_PUSH_DURATION)
}

/// Returns whether the object that a transfer accepted may be another document.
///
/// This is the case if there is a push of another document that was recorded after `own_push` began
/// and that may have written the object. `written_at` is the time at which the object was written.
#[must_use]
pub fn is_contested(
    guid: &ObjectGuid,
    own_push: &PushedSource,
    written_at: Timestamp,
    named_pushes: &[OutstandingPush],
) -> bool {
    named_pushes.iter().any(|push| {
        push.guid != *guid
            && push.may_have_brought(written_at)
            && push.pushed_at > push_began_at(own_push)
    })
}

/// Returns the push that must have written the accepted object of the document `guid`.
///
/// The object does not show which push wrote it. So the push is known only if exactly one object of
/// the document may arrive. Returns `None` in any other case:
///
/// - Several pushes of the document are outstanding.
/// - The push was repeated, so that it may bring two objects.
/// - `unnamed_pushes` contains a push of the document.
#[must_use]
pub fn proven_push<'a>(
    guid: &ObjectGuid,
    named_pushes: &'a [OutstandingPush],
    unnamed_pushes: &[OutstandingPush],
    now: Timestamp,
    arrival_deadline: SignedDuration,
) -> Option<&'a OutstandingPush> {
    if unnamed_pushes.iter().any(|push| push.guid == *guid) {
        return None;
    }
    let mut possible_writers = named_pushes
        .iter()
        .filter(|push| push.guid == *guid && push.may_arrive(now, arrival_deadline));
    let writer = possible_writers.next()?;
    let is_only_writer = possible_writers.next().is_none() && !writer.is_repeated;
    is_only_writer.then_some(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TransferId;

    /// Maximum time from a push to its arrival.
    const DEADLINE: SignedDuration = SignedDuration::from_secs(600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn guid(text: &str) -> ObjectGuid {
        text.parse().unwrap()
    }

    /// Returns a push of the document `name`, requested and recorded at `seconds`.
    fn push(name: &str, seconds: i64) -> OutstandingPush {
        OutstandingPush {
            requested_at: at(seconds),
            pushed_at: at(seconds),
            is_repeated: false,
            transfer_id: TransferId::from_u128(7),
            guid: guid(name),
        }
    }

    /// Returns the transfer's own push, requested and recorded at `seconds`.
    fn own_push_at(seconds: i64) -> PushedSource {
        PushedSource {
            key: "k".into(),
            name: "k".parse().unwrap(),
            mime: None,
            size: 1,
            requested_at: at(seconds),
            found: None,
            asked_at: Some(at(seconds)),
            pushed_at: at(seconds),
            must_end_by: None,
        }
    }

    /// Times of a case with two pushes under one key, in seconds.
    struct Timeline {
        own_push: i64,
        foreign_push: i64,
        object_written: i64,
        now: i64,
    }

    const FOREIGN_PUSH_FIVE_SECONDS_LATER: Timeline =
        Timeline { own_push: 1000, foreign_push: 1005, object_written: 1010, now: 1030 };

    fn identity(times: &Timeline) -> Identity {
        let named_pushes = [push("AAAA", times.own_push), push("BBBB", times.foreign_push)];
        let own_push = own_push_at(times.own_push);
        let written_at = at(times.object_written);
        identify(&guid("AAAA"), &own_push, written_at, &named_pushes, &[], at(times.now), DEADLINE)
    }

    #[test]
    fn foreign_push_makes_arrivals_uncertain_until_its_deadline() {
        let with_foreign_push =
            |foreign_push| identity(&Timeline { foreign_push, ..FOREIGN_PUSH_FIVE_SECONDS_LATER });
        assert_eq!(with_foreign_push(1020), Identity::Own, "the object is older");
        assert_eq!(with_foreign_push(1005), Identity::Unknown);
        assert_eq!(with_foreign_push(1014), Identity::Unknown, "clocks may differ by seconds");
        assert_eq!(with_foreign_push(300), Identity::Own, "its deadline passed before our push");
        assert_eq!(with_foreign_push(401), Identity::Lost, "its deadline passed after our push");

        let after_deadline = Timeline { now: 1605, ..FOREIGN_PUSH_FIVE_SECONDS_LATER };
        assert_eq!(identity(&after_deadline), Identity::Lost);
    }

    #[test]
    fn unnamed_push_of_another_document_delays_acceptance_briefly() {
        let check = |name: &str, began: i64, now: i64| {
            let unnamed_pushes = [push(name, began)];
            identify(
                &guid("AAAA"),
                &own_push_at(1000),
                at(1010),
                &[],
                &unnamed_pushes,
                at(now),
                DEADLINE,
            )
        };
        assert_eq!(check("BBBB", 1005, 1020), Identity::Unknown);
        assert_eq!(check("AAAA", 1005, 1020), Identity::Own, "the same document");
        assert_eq!(check("BBBB", 1016, 1020), Identity::Own, "begun after the object was written");
        assert_eq!(check("BBBB", 1005, 1025), Identity::Own, "the wait for its key is over");
    }

    #[test]
    fn arrival_proves_a_push_only_when_no_other_can_arrive() {
        let document = guid("AAAA");
        let pushes = [push("AAAA", 100), push("AAAA", 1000), push("BBBB", 1001)];

        let proven = proven_push(&document, &pushes, &[], at(1010), DEADLINE);
        assert_eq!(proven, Some(&pushes[1]), "the push at 100 can no longer arrive");
        assert_eq!(proven_push(&document, &pushes, &[], at(600), DEADLINE), None);

        let repeated = [OutstandingPush { is_repeated: true, ..push("AAAA", 1000) }];
        assert_eq!(proven_push(&document, &repeated, &[], at(1010), DEADLINE), None);

        let unnamed_pushes = [push("AAAA", 1005)];
        let proven = proven_push(&document, &pushes, &unnamed_pushes, at(1010), DEADLINE);
        assert_eq!(proven, None, "the push in flight may have written the object");
    }
}
