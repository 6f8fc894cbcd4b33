//! JSON bodies of the requests to Microsoft Graph and of its responses. The types contain only the
//! fields that docferry uses.

use docferry_app::ports::{ConflictPolicy, DriveItem};
use docferry_domain::document::ItemFacts;
use docferry_domain::upload::ExpectedRange;
use serde::{Deserialize, Serialize};

/// Maximum length of a web URL. It suffices for the longest path in OneDrive, which has 400
/// characters. Percent-encoded, a character takes up to 12 bytes in a URL.
const MAX_WEB_URL_LENGTH: usize = 8192;

/// Request body of `createUploadSession`.
#[derive(Serialize)]
pub(crate) struct CreateSession<'a> {
    item: NewItem<'a>,
    #[serde(rename = "deferCommit")]
    defer_commit: bool,
}

/// File that an upload session will create.
#[derive(Serialize)]
struct NewItem<'a> {
    #[serde(rename = "@microsoft.graph.conflictBehavior")]
    conflict_behavior: &'static str,
    /// Name of the file. Graph requires that it equals the last segment of the path.
    name: &'a str,
    #[serde(rename = "fileSize")]
    file_size: u64,
}

impl<'a> CreateSession<'a> {
    pub(crate) fn new(name: &'a str, size: u64, policy: ConflictPolicy) -> Self {
        let item = NewItem { conflict_behavior: policy.as_str(), name, file_size: size };
        Self { item, defer_commit: false }
    }
}

/// Response that describes a user or a drive. docferry uses only the id.
#[derive(Deserialize)]
pub(crate) struct WithId {
    pub(crate) id: String,
}

/// Response of `createUploadSession`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) upload_url: String,
    pub(crate) expiration_date_time: Option<String>,
}

/// Progress of an upload session: the byte ranges that the drive still expects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    #[serde(default)]
    next_expected_ranges: Vec<String>,
}

impl Progress {
    /// Returns the first range of bytes that the drive expects. The range may have an end. The
    /// drive then already has the bytes from this end on.
    pub(crate) fn next(&self) -> Option<ExpectedRange> {
        let ranges = self.next_expected_ranges.iter().filter_map(|text| parse_range(text));
        ranges.min_by_key(|range| range.start)
    }
}

/// Parses a range of `nextExpectedRanges`, such as `26-` or `26-99`.
fn parse_range(range: &str) -> Option<ExpectedRange> {
    let (start, last) = range.split_once('-').unwrap_or((range, ""));
    let start: u64 = start.trim().parse().ok()?;
    let last = last.trim().parse().ok().filter(|last| *last >= start);
    Some(ExpectedRange { start, end: last.and_then(|last: u64| last.checked_add(1)) })
}

/// Drive item: a file or a folder.
///
/// An item has an id, a name and a size. A successful response to an upload may contain an HTML
/// page or the progress of a session instead of an item. Such a body does not prove that the
/// document is complete.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    size: u64,
    web_url: Option<String>,
    file: Option<File>,
    folder: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct File {
    hashes: Option<Hashes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hashes {
    quick_xor_hash: Option<String>,
}

impl Item {
    pub(crate) const fn is_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// Converts this item to a file. Returns `None` if it has no id or no name.
    pub(crate) fn into_file(self) -> Option<DriveItem> {
        if self.id.is_empty() || self.name.is_empty() {
            return None;
        }
        let hashes = self.file.and_then(|file| file.hashes);
        let quick_xor_hash =
            hashes.and_then(|hashes| hashes.quick_xor_hash).filter(|hash| !hash.is_empty());
        let web_url = self.web_url.filter(|url| is_web_url(url));
        let facts = ItemFacts { size: self.size, quick_xor_hash };
        Some(DriveItem { id: self.id, facts, web_url })
    }
}

/// Returns whether a text is a web address that callers can safely put into a page as a link.
fn is_web_url(text: &str) -> bool {
    let is_plain =
        text.len() <= MAX_WEB_URL_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    // A simulator on the same machine uses `http`.
    is_plain && matches!(scheme.as_deref(), Some("https" | "http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_expected_range_is_parsed_with_its_end() {
        let range = |start, end| Some(ExpectedRange { start, end });
        for (text, expected) in [
            (r#"{"nextExpectedRanges":["26-"]}"#, range(26, None)),
            (r#"{"nextExpectedRanges":["26"]}"#, range(26, None)),
            (r#"{"nextExpectedRanges":["26-99"]}"#, range(26, Some(100))),
            (r#"{"nextExpectedRanges":["26-99","150-"]}"#, range(26, Some(100))),
            (r#"{"nextExpectedRanges":["150-"," 26 - 99 "]}"#, range(26, Some(100))),
            (r#"{"nextExpectedRanges":["26-7"]}"#, range(26, None)),
            (r#"{"nextExpectedRanges":["0-"]}"#, range(0, None)),
            (r#"{"nextExpectedRanges":[]}"#, None),
            (r#"{"nextExpectedRanges":["?"]}"#, None),
            ("{}", None),
        ] {
            let progress: Progress = serde_json::from_str(text).unwrap();
            assert_eq!(progress.next(), expected, "{text}");
        }
    }

    #[test]
    fn web_url_is_kept_only_if_it_is_a_safe_link() {
        let kept_url = |url: &str| {
            let item = serde_json::json!({ "id": "i", "name": "a", "size": 3, "webUrl": url });
            serde_json::from_value::<Item>(item).unwrap().into_file().unwrap().web_url
        };

        let good = "https://court-my.example/personal/ada/Documents/a%20b.pdf";
        assert_eq!(kept_url(good).as_deref(), Some(good));

        for bad in ["", "javascript:alert(1)", "data://x", "https://x/a b", "https://x/\n", "/a"] {
            assert_eq!(kept_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn item_without_a_hash_is_accepted() {
        for text in [
            r#"{"id":"i","name":"a.pdf","size":3}"#,
            r#"{"id":"i","name":"a.pdf","size":3,"file":{}}"#,
            r#"{"id":"i","name":"a.pdf","size":3,"file":{"hashes":{}}}"#,
            r#"{"id":"i","name":"a.pdf","size":3,"file":{"hashes":{"quickXorHash":""}}}"#,
        ] {
            let item: Item = serde_json::from_str(text).unwrap();
            assert_eq!(item.into_file().unwrap().facts.quick_xor_hash, None, "{text}");
        }
    }

    #[test]
    fn item_without_id_name_or_size_is_rejected() {
        for text in [
            "{}",
            r#"{"nextExpectedRanges":["10-"]}"#,
            r#"{"name":"a.pdf","size":3}"#,
            r#"{"id":"i","size":3}"#,
            r#"{"id":"i","name":"a.pdf"}"#,
            r#"{"id":"","name":"a.pdf","size":3}"#,
            r#"{"id":"i","name":"","size":3}"#,
            r#"{"id":"i","name":"a.pdf","size":-1}"#,
        ] {
            let item: Option<Item> = serde_json::from_str(text).ok();
            assert!(item.and_then(Item::into_file).is_none(), "{text}");
        }
    }
}
