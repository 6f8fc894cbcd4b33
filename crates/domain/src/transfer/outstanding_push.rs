//! Outstanding pushes, and the text in which a push is stored.
//!
//! A *push* is a request to the document source to copy a document into the exchange bucket. It is
//! *outstanding* as long as its object may still arrive. The rules in `exchange_key` use these
//! values to decide which push wrote an object.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{InvalidId, ObjectGuid, TransferId};
use crate::transfer::PushedSource;

/// Maximum clock difference between two nodes of one exchange store. So an object may belong to a
/// push although its time of writing is earlier than the push, by at most this difference.
pub const STORE_CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// Stored word for a push that was tried once.
const SINGLE: &str = "single";
/// Stored word for a push that may have been tried several times.
const REPEATED: &str = "repeated";
/// Number of parts of the stored form.
const STORED_PARTS: usize = 5;

/// A push whose object is not known to have arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutstandingPush {
    /// Time of the exchange store's clock just before the push was requested.
    pub requested_at: Timestamp,
    /// Time of docferry's clock. While the source has not named the key, it is the time at which
    /// the push began. After that, it is the time at which the response was recorded.
    pub pushed_at: Timestamp,
    /// Whether there was an earlier try of this push whose response was lost. That try may have
    /// copied the document as well, so a second object may arrive after the first.
    pub is_repeated: bool,
    /// The transfer that requested the push. It distinguishes two pushes of the same time.
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

    /// Returns whether this push may have written an object. `written_at` is the time at which the
    /// object was written, by the exchange store's clock.
    #[must_use]
    pub fn may_have_brought(&self, written_at: Timestamp) -> bool {
        (self.requested_at - STORE_CLOCK_TOLERANCE).as_second() <= written_at.as_second()
    }

    /// Returns whether the object of this push may still arrive. `arrival_deadline` is the longest
    /// time from a push to the arrival of its object.
    #[must_use]
    pub fn may_arrive(&self, now: Timestamp, arrival_deadline: SignedDuration) -> bool {
        now.duration_since(self.pushed_at) < arrival_deadline
    }
}

/// Writes the stored form: both times in milliseconds since 1970, whether the push was
/// repeated, the transfer and the GUID.
impl fmt::Display for OutstandingPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requested = self.requested_at.as_millisecond();
        let pushed = self.pushed_at.as_millisecond();
        let tries = if self.is_repeated { REPEATED } else { SINGLE };
        let transfer_id = self.transfer_id.as_str();
        let guid = self.guid.as_str();
        write!(f, "{requested}/{pushed}/{tries}/{transfer_id}/{guid}")
    }
}

impl FromStr for OutstandingPush {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MALFORMED: InvalidId =
            InvalidId("an outstanding push has two times, its tries, a transfer id and a GUID");
        let parse_time = |text: &str| {
            text.parse()
                .ok()
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .ok_or(MALFORMED)
        };
        // The GUID is the last part, because base64 may contain slashes.
        let mut parts = text.splitn(STORED_PARTS, '/');
        let mut next_part = || parts.next().ok_or(MALFORMED);
        Ok(Self {
            requested_at: parse_time(next_part()?)?,
            pushed_at: parse_time(next_part()?)?,
            is_repeated: match next_part()? {
                SINGLE => false,
                REPEATED => true,
                _ => return Err(MALFORMED),
            },
            transfer_id: next_part()?.parse()?,
            guid: next_part()?.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outstanding_push_reads_back_from_its_stored_form() {
        let time = Timestamp::from_second(1000).unwrap();
        let push = OutstandingPush {
            requested_at: time,
            pushed_at: time,
            is_repeated: false,
            transfer_id: TransferId::from_u128(7),
            guid: "a/b+AAAA".parse().unwrap(),
        };
        let stored = push.to_string();
        let transfer_id = TransferId::from_u128(7);
        assert_eq!(stored, format!("1000000/1000000/single/{transfer_id}/a/b+AAAA"));
        assert_eq!(stored.parse(), Ok(push));
    }

    #[test]
    fn malformed_stored_push_is_refused() {
        for broken in ["", "1", "1/2", "1/2/AAAA", "x/2/single/AAAA", "1/2/single/7/AAAA"] {
            assert!(broken.parse::<OutstandingPush>().is_err(), "{broken}");
        }
    }
}
