//! Identity of objects in the exchange bucket: whether an object under a shared key is the
//! transfer's own document.
//!
//! The document source names the key of an object only after it has pushed, and two
//! documents may get the same key. So neither the key nor the size identifies a document.
//! Its identity is the GUID, the key and the push that brought it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{InvalidId, ObjectGuid, TransferId};
use crate::transfer::PushedSource;

/// Maximum clock difference between two nodes of one exchange store. An object that was
/// written up to this long before a push was requested may still belong to that push.
pub const STORE_CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// Maximum time between the request of a push and its answer, with a margin: the time limit
/// of the push function is 60 s.
pub const MAX_PUSH_DURATION: SignedDuration = SignedDuration::from_secs(90);

/// Time during which an object is not accepted because a push of another document has not
/// named its key yet. It is longer than the first retries of a push take. It is limited
/// because a document for which the source never answers must not block all others.
pub const UNNAMED_PUSH_TIMEOUT: SignedDuration = SignedDuration::from_secs(20);

/// A push whose object is not known to have arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutstandingPush {
    /// Time of the exchange store's clock just before the push was requested.
    pub requested_at: Timestamp,
    /// Time of docferry's clock when the push was recorded, or begun while its key is
    /// unknown.
    pub pushed_at: Timestamp,
    /// Whether an earlier try, whose answer was lost, may have pushed as well. Then one
    /// arrival does not prove that no other follows.
    pub is_repeated: bool,
    /// The transfer that pushed. It distinguishes two pushes of the same moment.
    pub transfer_id: TransferId,
    /// The document that was pushed.
    pub guid: ObjectGuid,
}

impl OutstandingPush {
    /// Returns the push that `source` records for a transfer of the document `guid`.
    #[must_use]
    pub fn of(transfer_id: &TransferId, guid: &ObjectGuid, source: &PushedSource) -> Self {
        Self {
            requested_at: source.requested_at,
            pushed_at: source.pushed_at,
            is_repeated: false,
            transfer_id: transfer_id.clone(),
            guid: guid.clone(),
        }
    }

    /// Returns whether this push may have brought an object that was written at
    /// `written_at`, by the exchange store's clock.
    #[must_use]
    pub fn may_have_brought(&self, written_at: Timestamp) -> bool {
        (self.requested_at - STORE_CLOCK_TOLERANCE).as_second() <= written_at.as_second()
    }

    /// Returns whether the object of this push may still arrive.
    #[must_use]
    pub fn may_arrive(&self, now: Timestamp, arrival_deadline: SignedDuration) -> bool {
        now.duration_since(self.pushed_at) < arrival_deadline
    }
}

const SINGLE: &str = "single";
const REPEATED: &str = "repeated";

/// Writes the stored form: both times in milliseconds since 1970, whether the push was
/// repeated, the transfer and the GUID.
impl fmt::Display for OutstandingPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requested, pushed) =
            (self.requested_at.as_millisecond(), self.pushed_at.as_millisecond());
        let tries = if self.is_repeated { REPEATED } else { SINGLE };
        let (id, guid) = (self.transfer_id.as_str(), self.guid.as_str());
        write!(f, "{requested}/{pushed}/{tries}/{id}/{guid}")
    }
}

impl FromStr for OutstandingPush {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: InvalidId =
            InvalidId("an outstanding push has two times, its tries, a transfer id and a GUID");
        let time = |text: &str| {
            text.parse()
                .ok()
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .ok_or(FORM)
        };
        // The GUID comes last: base64 may contain slashes.
        let mut parts = text.splitn(5, '/');
        let mut next = || parts.next().ok_or(FORM);
        Ok(Self {
            requested_at: time(next()?)?,
            pushed_at: time(next()?)?,
            is_repeated: match next()? {
                SINGLE => false,
                REPEATED => true,
                _ => return Err(FORM),
            },
            transfer_id: next()?.parse()?,
            guid: next()?.parse()?,
        })
    }
}

/// State of an exchange key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeKey {
    /// The document whose transfers use the key. `None` while the key is free, and while
    /// its users were recorded by a version that did not distinguish documents.
    pub holder: Option<ObjectGuid>,
    /// Pushes of any document that named the key, oldest first.
    pub outstanding: Vec<OutstandingPush>,
}

/// A key whose object may still arrive after the transfer that pushed it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateArrivalKey {
    /// The key in the exchange bucket.
    pub key: String,
    /// Time of the exchange store's clock just before the push was requested. An older
    /// object is not from that push.
    pub requested_at: Timestamp,
}

/// Result of [`identify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// No push of another document can have brought the object.
    Own,
    /// A push of another document may have brought the object, or may still replace it:
    /// check again later.
    Unknown,
    /// A push of another document may have brought the object, and none can arrive any
    /// more. Only another push of the transfer's document resolves this.
    Lost,
}

/// Decides whether the object that was written at `written_at` is the document `guid`,
/// which the push `own` requested.
///
/// `outstanding` are the pushes that named the key, and `in_flight` the pushes that have
/// not named their keys yet. Pushes of the same document in these lists cause no doubt. A
/// push of another document counts while it may have brought the object, unless its arrival
/// deadline had passed before the push `own` began.
#[must_use]
pub fn identify(
    guid: &ObjectGuid,
    own: &PushedSource,
    written_at: Timestamp,
    outstanding: &[OutstandingPush],
    in_flight: &[OutstandingPush],
    now: Timestamp,
    arrival_deadline: SignedDuration,
) -> Identity {
    let doubtful = |push: &&OutstandingPush| {
        push.guid != *guid
            && push.may_have_brought(written_at)
            && push.may_arrive(asked_at(own), arrival_deadline)
    };
    let mut identity = Identity::Own;
    for push in outstanding.iter().filter(doubtful) {
        if push.may_arrive(now, arrival_deadline) {
            return Identity::Unknown;
        }
        identity = Identity::Lost;
    }
    let unnamed = |push: &&OutstandingPush| {
        push.guid != *guid
            && push.may_have_brought(written_at)
            && now.duration_since(push.pushed_at) < UNNAMED_PUSH_TIMEOUT
    };
    if in_flight.iter().any(|push| unnamed(&push)) { Identity::Unknown } else { identity }
}

/// Returns the time just before the push `own` was requested, or the earliest possible time
/// for a record of an older version.
fn asked_at(own: &PushedSource) -> Timestamp {
    own.asked_at.unwrap_or(own.pushed_at - MAX_PUSH_DURATION)
}

/// Returns whether a push of another document became known after the push `own` was
/// requested and may have brought the object that was accepted as written at `written_at`.
#[must_use]
pub fn is_contested(
    guid: &ObjectGuid,
    own: &PushedSource,
    written_at: Timestamp,
    outstanding: &[OutstandingPush],
) -> bool {
    outstanding.iter().any(|push| {
        push.guid != *guid && push.may_have_brought(written_at) && push.pushed_at > asked_at(own)
    })
}

/// Returns the push of the document `guid` whose arrival an accepted object proves: the
/// only one that may still arrive. Returns `None` when several may arrive, because the
/// object does not tell which of them came. A push of the same document that is in flight
/// may be one of them.
#[must_use]
pub fn proven_push<'a>(
    guid: &ObjectGuid,
    outstanding: &'a [OutstandingPush],
    in_flight: &[OutstandingPush],
    now: Timestamp,
    arrival_deadline: SignedDuration,
) -> Option<&'a OutstandingPush> {
    if in_flight.iter().any(|push| push.guid == *guid) {
        return None;
    }
    let mut own = outstanding
        .iter()
        .filter(|push| push.guid == *guid && push.may_arrive(now, arrival_deadline));
    own.next().filter(|push| !push.is_repeated && own.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: SignedDuration = SignedDuration::from_secs(600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn guid(text: &str) -> ObjectGuid {
        text.parse().unwrap()
    }

    fn push(name: &str, seconds: i64) -> OutstandingPush {
        let (requested_at, pushed_at) = (at(seconds), at(seconds));
        let transfer_id = TransferId::from_u128(7);
        let guid = guid(name);
        OutstandingPush { requested_at, pushed_at, is_repeated: false, transfer_id, guid }
    }

    fn own(seconds: i64) -> PushedSource {
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

    fn verdict(pushed: i64, written: i64, foreign: i64, now: i64) -> Identity {
        let outstanding = [push("AAAA", pushed), push("BBBB", foreign)];
        identify(&guid("AAAA"), &own(pushed), at(written), &outstanding, &[], at(now), DEADLINE)
    }

    #[test]
    fn foreign_push_makes_arrivals_uncertain_until_its_deadline() {
        assert_eq!(verdict(1000, 1010, 1020, 1030), Identity::Own, "written before it");
        assert_eq!(verdict(1000, 1010, 1005, 1030), Identity::Unknown);
        assert_eq!(
            verdict(1000, 1010, 1014, 1030),
            Identity::Unknown,
            "the clocks may differ by seconds"
        );
        assert_eq!(verdict(1000, 1010, 1005, 1605), Identity::Lost);
        assert_eq!(
            verdict(1000, 1010, 300, 1030),
            Identity::Own,
            "its deadline passed before the transfer's push"
        );
        assert_eq!(
            verdict(1000, 1010, 401, 1030),
            Identity::Lost,
            "its deadline passed after the transfer's push"
        );
    }

    #[test]
    fn unnamed_push_of_another_document_delays_acceptance_briefly() {
        let check = |name: &str, since: i64, now: i64| {
            let (guid, own) = (guid("AAAA"), own(1000));
            identify(&guid, &own, at(1010), &[], &[push(name, since)], at(now), DEADLINE)
        };
        assert_eq!(check("BBBB", 1005, 1020), Identity::Unknown);
        assert_eq!(check("AAAA", 1005, 1020), Identity::Own, "the same document");
        assert_eq!(check("BBBB", 1016, 1020), Identity::Own, "begun after the object was written");
        assert_eq!(check("BBBB", 1005, 1025), Identity::Own, "the wait for its key is over");
    }

    #[test]
    fn arrival_proves_a_push_only_when_no_other_can_arrive() {
        let pushes = [push("AAAA", 100), push("AAAA", 1000), push("BBBB", 1001)];
        let seen = proven_push(&guid("AAAA"), &pushes, &[], at(1010), DEADLINE);
        assert_eq!(seen, Some(&pushes[1]), "the first can no longer arrive");
        assert_eq!(proven_push(&guid("AAAA"), &pushes, &[], at(600), DEADLINE), None);
        let repeated = [OutstandingPush { is_repeated: true, ..push("AAAA", 1000) }];
        assert_eq!(proven_push(&guid("AAAA"), &repeated, &[], at(1010), DEADLINE), None);
        let in_flight = [push("AAAA", 1005)];
        let seen = proven_push(&guid("AAAA"), &pushes, &in_flight, at(1010), DEADLINE);
        assert_eq!(seen, None, "the object may be that of the other push");
    }

    #[test]
    fn outstanding_pushes_read_back_from_their_stored_form() {
        let stored = push("a/b+AAAA", 1000).to_string();
        let id = TransferId::from_u128(7);
        assert_eq!(stored, format!("1000000/1000000/single/{id}/a/b+AAAA"));
        assert_eq!(stored.parse(), Ok(push("a/b+AAAA", 1000)));
        for broken in ["", "1", "1/2", "1/2/AAAA", "x/2/single/AAAA", "1/2/single/7/AAAA"] {
            assert!(broken.parse::<OutstandingPush>().is_err(), "{broken}");
        }
    }
}
