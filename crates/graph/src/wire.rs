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
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    id: String,
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
}

impl From<Item> for DriveItem {
    fn from(item: Item) -> Self {
        let hashes = item.file.and_then(|file| file.hashes);
        let quick_xor_hash =
            hashes.and_then(|hashes| hashes.quick_xor_hash).filter(|hash| !hash.is_empty());
        let web_url = item.web_url.filter(|url| is_web_url(url));
        Self { id: item.id, facts: ItemFacts { size: item.size, quick_xor_hash }, web_url }
    }
}

/// Longest address that is kept; a path of OneDrive has at most 400 characters, each of
/// which takes up to 12 when encoded.
const LONGEST_WEB_URL: usize = 8192;

/// Whether a text may be handed on as a link: callers may put it into a page.
fn is_web_url(text: &str) -> bool {
    let is_plain =
        text.len() <= LONGEST_WEB_URL && text.bytes().all(|byte| byte.is_ascii_graphic());
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    // http is for simulators on the same machine.
    is_plain && matches!(scheme.as_deref(), Some("https" | "http"))
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
    fn a_web_url_is_kept_only_when_it_is_a_plain_link() {
        let kept = |url: &str| {
            let item = serde_json::json!({ "id": "i", "size": 3, "webUrl": url });
            DriveItem::from(serde_json::from_value::<Item>(item).unwrap()).web_url
        };
        let good = "https://court-my.example/personal/ada/Documents/a%20b.pdf";
        assert_eq!(kept(good).as_deref(), Some(good));
        for bad in ["", "javascript:alert(1)", "data://x", "https://x/a b", "https://x/\n", "/a"] {
            assert_eq!(kept(bad), None, "{bad}");
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
