//! Parser of `retired.txt`, the list of retired words, and of `allowed.txt`, the list of allowed
//! uses.
//!
//! A *retired* word must not be used in certain *places*, such as function names or comments. An
//! *allowed use* is an exception for one file or folder.

use anyhow::{Context as _, Result};

/// Kind of text in which a word may be retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An identifier as a whole.
    Name,
    /// A part of an identifier, such as `slot` in `free_slot` and `SlotState`.
    Part,
    /// The name of a function, where it is defined.
    Function,
    /// A part of a test's name.
    Test,
    /// Comments and log messages.
    Prose,
    /// The first word of a comment line.
    Opening,
}

/// A word that the code must not use.
#[derive(Debug)]
pub(super) struct RetiredWord<'a> {
    pub(super) word: &'a str,
    pub(super) places: Vec<Place>,
    pub(super) replacement: &'a str,
    /// Folders in which the word is retired. Empty if the word is retired everywhere.
    pub(super) folders: Vec<&'a str>,
}

impl RetiredWord<'_> {
    /// Returns whether the word is retired in this file and place.
    pub(super) fn applies(&self, file: &str, place: Place) -> bool {
        let is_retired_everywhere = self.folders.is_empty();
        self.places.contains(&place)
            && (is_retired_everywhere
                || self.folders.iter().any(|folder| is_at_or_below(file, folder)))
    }
}

/// A use of a retired word that is allowed.
#[derive(Debug)]
pub(super) struct AllowedUse<'a> {
    path: &'a str,
    word: &'a str,
}

impl AllowedUse<'_> {
    /// Returns whether this exception allows the word in this file.
    pub(super) fn covers(&self, file: &str, word: &str) -> bool {
        self.word == word && is_at_or_below(file, self.path)
    }

    /// Returns the violation to report if no file uses this exception.
    pub(super) fn unused_violation(&self) -> String {
        format!("allowed.txt allows {} in {}, which does not use it", self.word, self.path)
    }
}

/// Returns whether a file is `path`, or in the folder `path`.
fn is_at_or_below(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('/'))
}

/// Parses the list of retired words.
pub(super) fn parse_retired(text: &str) -> Result<Vec<RetiredWord<'_>>> {
    rows(text)
        .map(|(line, columns)| {
            let [word, place_names, replacement, folder_lists @ ..] = columns.as_slice() else {
                anyhow::bail!("retired.txt: {line}");
            };
            let places = place_names.split_whitespace().map(parse_place).collect::<Option<_>>();
            Ok(RetiredWord {
                word,
                places: places.with_context(|| format!("retired.txt: {line}"))?,
                replacement,
                folders: folder_lists.iter().flat_map(|list| list.split_whitespace()).collect(),
            })
        })
        .collect()
}

/// Parses the list of allowed uses. Each use must have a reason.
pub(super) fn parse_allowed(text: &str) -> Result<Vec<AllowedUse<'_>>> {
    rows(text)
        .map(|(line, columns)| match columns.as_slice() {
            [path, word, reason] if !reason.is_empty() => Ok(AllowedUse { path, word }),
            _ => anyhow::bail!("allowed.txt: {line}"),
        })
        .collect()
}

/// Returns each line that is not a comment, with its columns. A `|` separates two columns.
fn rows(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (line, line.split('|').map(str::trim).collect()))
}

/// Returns the place with this name in `retired.txt`.
fn parse_place(name: &str) -> Option<Place> {
    Some(match name {
        "name" => Place::Name,
        "part" => Place::Part,
        "fn" => Place::Function,
        "test" => Place::Test,
        "prose" => Place::Prose,
        "opening" => Place::Opening,
        _ => return None,
    })
}
