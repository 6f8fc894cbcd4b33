//! Reads and writes the fixture files in `tests/fixtures`.
//!
//! The folder has a subfolder for each version, and each subfolder has a file for each kind of
//! record. A file contains the stored items by the names of their states.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::labels::Label;
use crate::typed_json::Item;

/// Folder of the items that the present, unreleased version writes.
pub(crate) const UNRELEASED: &str = "unreleased";

/// Folder of the items that version 0.1.0 wrote.
pub(crate) const VERSION_0_1_0: &str = "v0.1.0";

/// Items of one kind, by the name of their state.
pub(crate) type ItemsByState = BTreeMap<String, Item>;

/// Items of one version, by the kind of the record.
pub(crate) type Records = BTreeMap<String, ItemsByState>;

/// Returns the item with this label.
pub(crate) fn item(records: &Records, label: Label) -> &Item {
    &records[label.kind][label.state]
}

/// Returns the folder with the fixtures of a version.
fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

/// Lists the versions that have fixtures.
pub(crate) fn versions() -> Vec<String> {
    let entries = fs::read_dir(folder("")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut versions: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();

    versions.sort();
    versions
}

/// Reads the fixtures of a version.
pub(crate) fn load(version: &str) -> Records {
    let files = fs::read_dir(folder(version)).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let items = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (kind, items)
        })
        .collect()
}

/// Replaces the fixtures of a version.
pub(crate) fn save(version: &str, records: &Records) {
    let folder = folder(version);
    fs::create_dir_all(&folder).unwrap();
    for (kind, items) in records {
        let text = serde_json::to_string_pretty(items).unwrap() + "\n";
        fs::write(folder.join(format!("{kind}.json")), text).unwrap();
    }
}
