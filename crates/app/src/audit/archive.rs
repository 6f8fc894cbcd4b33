//! Archive of the audit trail. The function `archive` writes the messages of the audit queue into
//! objects of a bucket. An object is in NDJSON: one JSON text in each line.
//!
//! The key of an object contains the day on which it was written. A record is written after the
//! action that it describes, so the records of a day are in the objects of that day and of later
//! days.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::ports::{ArchiveError, AuditArchive};

/// Prefix of the keys of all objects.
pub const ARCHIVE_PREFIX: &str = "audit/";

/// Number of bytes of the content's hash that a key contains, in hexadecimal.
const HASH_BYTES: usize = 16;

/// Writes messages of the audit queue into one object, one line for each message.
///
/// A message that is not JSON becomes a line with the member `unreadable`. The message is therefore
/// not lost and does not block others. A repeated call writes the messages again; readers discard
/// duplicates by `messageId`.
///
/// # Errors
/// The error of the archive. In that case, no message is archived.
pub async fn archive_messages(
    archive: &impl AuditArchive,
    messages: &[String],
    now: Timestamp,
) -> Result<(), ArchiveError> {
    if messages.is_empty() {
        return Ok(());
    }
    let content: String = messages.iter().map(|message| archive_line(message)).collect();
    archive.write(&archive_key(now, content.as_bytes()), Bytes::from(content)).await
}

/// Returns a message as a line of NDJSON.
fn archive_line(message: &str) -> String {
    let is_one_line_of_json =
        serde_json::from_str::<&RawValue>(message).is_ok() && !message.contains(['\n', '\r']);
    if is_one_line_of_json {
        return format!("{message}\n");
    }
    format!("{}\n", serde_json::json!({ "unreadable": message }))
}

/// Returns the time at which the object with this key was written; `None` if the key does not have
/// the form of [`archive_key`].
#[must_use]
pub fn archive_time(key: &str) -> Option<Timestamp> {
    let (milliseconds, _) = key.rsplit_once('/')?.1.split_once('-')?;
    Timestamp::from_millisecond(milliseconds.parse().ok()?).ok()
}

/// Returns the prefix of the keys of all objects that were written on the day (UTC) of this time.
#[must_use]
pub fn archive_day(at: Timestamp) -> String {
    let date = at.to_zoned(TimeZone::UTC).date();
    format!("{ARCHIVE_PREFIX}{:04}/{:02}/{:02}/", date.year(), date.month(), date.day())
}

/// Returns the key of an object that is written at this time. The keys of a day are in the order of
/// time; objects of the same millisecond differ in the hash of their content.
#[must_use]
pub fn archive_key(at: Timestamp, content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    // 13 digits hold milliseconds until the year 2286.
    format!("{}{:013}-{hash}.ndjson", archive_day(at), at.as_millisecond().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_by_time_within_their_day() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let morning = archive_key(at("2026-11-30T08:00:00Z"), b"x");
        let evening = archive_key(at("2026-11-30T23:59:59.999Z"), b"a");
        assert!(morning.starts_with("audit/2026/11/30/"), "{morning}");
        assert!(morning < evening);
        assert_eq!(archive_time(&morning), Some(at("2026-11-30T08:00:00Z")));
        assert_eq!(archive_time("audit/readme"), None);
        assert!(evening < archive_key(at("2026-12-01T00:00:00Z"), b"a"));
        assert_ne!(morning, archive_key(at("2026-11-30T08:00:00Z"), b"y"));
    }

    #[test]
    fn message_that_is_not_json_is_kept_in_a_line_of_its_own() {
        assert_eq!(archive_line("{\"messageId\":\"1\"}"), "{\"messageId\":\"1\"}\n");
        for odd in ["{", "plain text", "{\n}", ""] {
            let line = archive_line(odd);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["unreadable"], odd);
        }
    }
}
