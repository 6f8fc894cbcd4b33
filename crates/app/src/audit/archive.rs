//! Archive of the audit trail: NDJSON objects, by the day on which they were written.
//!
//! A record is written after the action that it describes. So a reader that wants the records of a
//! day finds all of them in the objects of that day and of the following days.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::ports::{ArchiveError, AuditArchive};

/// Number of bytes of the content's hash in a key, which shows them in hexadecimal.
const HASH_BYTES: usize = 16;

/// Writes messages of the audit queue into one object, one line for each message.
///
/// No message is refused. A message that is not JSON becomes a line with the member `unreadable`,
/// so that it is neither lost nor blocks others. A repeated call writes the messages again;
/// readers discard duplicates by `messageId`.
///
/// # Errors
/// The error of the archive. Then no message is archived.
pub async fn archive_messages(
    archive: &impl AuditArchive,
    messages: &[String],
    now: Timestamp,
) -> Result<(), ArchiveError> {
    if messages.is_empty() {
        return Ok(());
    }
    let content: String = messages.iter().map(|message| line(message)).collect();
    archive.write(&archive_key(now, content.as_bytes()), Bytes::from(content)).await
}

/// Returns a message as a line of NDJSON.
fn line(message: &str) -> String {
    let is_one_line_of_json =
        serde_json::from_str::<&RawValue>(message).is_ok() && !message.contains(['\n', '\r']);
    if is_one_line_of_json {
        return format!("{message}\n");
    }
    format!("{}\n", serde_json::json!({ "unreadable": message }))
}

/// Prefix of the keys of all objects.
pub const ARCHIVE_PREFIX: &str = "audit/";

/// Returns the time that a key contains; `None` if it is no key of the archive.
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
        assert_eq!(line("{\"messageId\":\"1\"}"), "{\"messageId\":\"1\"}\n");
        for odd in ["{", "plain text", "{\n}", ""] {
            let line = line(odd);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["unreadable"], odd);
        }
    }
}
