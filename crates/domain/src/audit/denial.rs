//! Denials. A *denial* is a refused request: a person asked for a document that the person may not
//! see or that does not exist.
//!
//! One audit record counts all denials of one person in one minute. So a person cannot flood the
//! audit trail by trying many document numbers.

use jiff::Timestamp;

use super::RequestOrigin;

/// Maximum number of entries of [`Denial::requested`].
pub const MAX_DENIED_OF_REQUEST: usize = 20;

/// Maximum number of requested documents in one record of denials. Later requests in the same
/// minute only increase the count. With the longest names, the record has about 110 KiB. The limit
/// of an SQS message is 256 KiB.
pub const MAX_DENIED_OF_RECORD: usize = 200;

/// Number of seconds in a minute.
const MINUTE_SECONDS: i64 = 60;

/// A denied request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Principal (the authenticated caller) that made the request.
    pub actor: String,
    /// Time of the denial.
    pub at: Timestamp,
    /// Circumstances of the request.
    pub origin: RequestOrigin,
    /// Documents or subject in the request, as text. The list has at most [`MAX_DENIED_OF_REQUEST`]
    /// entries.
    pub requested: Vec<String>,
}

/// Key of the record that counts a person's denials in one minute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DenialKey {
    /// The person's principal id.
    pub actor: String,
    /// The minute, in minutes since 1970.
    pub minute: i64,
}

impl DenialKey {
    /// Returns the key for a denial at this time.
    #[must_use]
    pub fn at(actor: String, at: Timestamp) -> Self {
        Self { actor, minute: at.as_second().div_euclid(MINUTE_SECONDS) }
    }

    /// Returns the key for the following minute.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { actor: self.actor.clone(), minute: self.minute.saturating_add(1) }
    }

    /// Returns the end of the minute.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        Timestamp::from_second(self.minute.saturating_add(1).saturating_mul(MINUTE_SECONDS))
            .unwrap_or(Timestamp::MAX)
    }

    /// Returns the id of the record's message.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("denied/{}/{}", self.minute, self.actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_of_one_minute_share_a_key() {
        let at = |second| DenialKey::at("sub:ada".into(), Timestamp::from_second(second).unwrap());
        assert_eq!(at(120), at(179));
        assert_eq!(at(179).next(), at(180));
        assert_eq!(at(120).ends_at(), Timestamp::from_second(180).unwrap());
        assert_eq!(at(120).message_id(), "denied/2/sub:ada");
    }
}
