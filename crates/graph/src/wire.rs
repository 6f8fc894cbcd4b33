//! What Graph says, as far as it is used.

use docferry_app::ports::{ConflictPolicy, DriveItem};
use docferry_domain::ItemFacts;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub(crate) struct CreateSession<'a> {
    item: NewItem<'a>,
    #[serde(rename = "deferCommit")]
    defer_commit: bool,
}

#[derive(Serialize)]
struct NewItem<'a> {
    #[serde(rename = "@microsoft.graph.conflictBehavior")]
    conflict_behavior: &'static str,
    /// Must equal the last segment of the path.
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

#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) upload_url: String,
    pub(crate) expiration_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    #[serde(default)]
    next_expected_ranges: Vec<String>,
}

impl Progress {
    /// The first missing byte of `["26-"]`, `["26-99"]` or a list.
    pub(crate) fn next(&self) -> Option<u64> {
        let start = |range: &String| range.split('-').next()?.trim().parse().ok();
        self.next_expected_ranges.iter().filter_map(start).min()
    }
}

#[derive(Deserialize)]
pub(crate) struct Item {
    id: String,
    size: u64,
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
}

impl From<Item> for DriveItem {
    fn from(item: Item) -> Self {
        let hashes = item.file.and_then(|file| file.hashes);
        let quick_xor_hash =
            hashes.and_then(|hashes| hashes.quick_xor_hash).filter(|hash| !hash.is_empty());
        Self { id: item.id, facts: ItemFacts { size: item.size, quick_xor_hash } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_offset_is_the_first_start_of_any_form_of_range() {
        for (text, next) in [
            (r#"{"nextExpectedRanges":["26-"]}"#, Some(26)),
            (r#"{"nextExpectedRanges":["26-99"]}"#, Some(26)),
            (r#"{"nextExpectedRanges":["26-99","150-"]}"#, Some(26)),
            (r#"{"nextExpectedRanges":["0-"]}"#, Some(0)),
            (r#"{"nextExpectedRanges":[]}"#, None),
            (r#"{"nextExpectedRanges":["?"]}"#, None),
            ("{}", None),
        ] {
            let progress: Progress = serde_json::from_str(text).unwrap();
            assert_eq!(progress.next(), next, "{text}");
        }
    }

    #[test]
    fn an_item_may_come_without_its_hash() {
        for text in [
            r#"{"id":"i","size":3}"#,
            r#"{"id":"i","size":3,"file":{}}"#,
            r#"{"id":"i","size":3,"file":{"hashes":{}}}"#,
            r#"{"id":"i","size":3,"file":{"hashes":{"quickXorHash":""}}}"#,
        ] {
            let item: Item = serde_json::from_str(text).unwrap();
            assert_eq!(DriveItem::from(item).facts.quick_xor_hash, None, "{text}");
        }
    }
}
