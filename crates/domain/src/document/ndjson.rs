//! Reads registry records from NDJSON: one record in each line.

use std::collections::HashMap;
use std::fmt;

use super::{DocumentId, DocumentRecord, FieldError, RecordRules};
use crate::ids::{FileId, ObjectGuid};

/// Maximum length of a line, in bytes. Each valid record fits into a line, even if all its
/// characters are escaped ([`DocumentRecord::MAX_JSON_LEN`]). The remainder is for white space
/// between its tokens.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
const _: () =
    assert!(BYTE_ORDER_MARK.len() + DocumentRecord::MAX_JSON_LEN + "\r".len() <= MAX_LINE_BYTES);
/// Maximum number of errors to report for one file.
pub const MAX_ERRORS: usize = 100;

/// UTF-8 byte order mark, which some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Error in one line of an NDJSON file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct LineError {
    /// Number of the line; the first one is 1.
    pub line: u64,
    /// The faulty field.
    pub error: FieldError,
}

/// Errors of an NDJSON file, at most [`MAX_ERRORS`] of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLines {
    /// The errors, in the order of lines.
    pub errors: Vec<LineError>,
    /// Number of errors that are not reported.
    pub omitted: u64,
}

impl fmt::Display for InvalidLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if place > 0 { "\n" } else { "" })?;
        }
        if self.omitted > 0 {
            write!(f, "\n{} more errors", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidLines {}

/// Reader of NDJSON that receives a file in chunks of any size.
///
/// Each id, number and GUID may occur in one line only. A byte order mark at the beginning, CRLF
/// and empty lines are accepted. Memory is bounded by the longest line, except for what finds
/// duplicates: about 200 bytes for each record.
#[derive(Debug)]
pub struct RecordReader<'a> {
    rules: RecordRules<'a>,
    buffer: Vec<u8>,
    /// Whether the rest of an overlong line is skipped.
    skipping: bool,
    line: u64,
    seen: Seen,
    errors: InvalidLines,
}

/// Lines in which ids, numbers and GUIDs occurred.
#[derive(Debug, Default)]
struct Seen {
    ids: HashMap<DocumentId, u64>,
    files: HashMap<FileId, u64>,
    guids: HashMap<ObjectGuid, u64>,
}

impl<'a> RecordReader<'a> {
    /// Creates a reader for one file.
    #[must_use]
    pub fn new(rules: RecordRules<'a>) -> Self {
        let errors = InvalidLines { errors: Vec::new(), omitted: 0 };
        Self { rules, buffer: Vec::new(), skipping: false, line: 0, seen: Seen::default(), errors }
    }

    /// Reads the next chunk of the file, and passes each valid record to `sink` with its line.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl FnMut(u64, DocumentRecord)) {
        let mut parts = chunk.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.extend(part);
            if parts.peek().is_some() {
                self.end_line(sink);
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`InvalidLines`] if any line was invalid. Then no record of the file may be used.
    pub fn finish(
        mut self,
        sink: &mut impl FnMut(u64, DocumentRecord),
    ) -> Result<(), InvalidLines> {
        if !self.buffer.is_empty() || self.skipping {
            self.end_line(sink);
        }
        if self.errors.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    fn extend(&mut self, part: &[u8]) {
        if self.skipping || self.buffer.len() + part.len() > MAX_LINE_BYTES {
            self.skipping = true;
            self.buffer.clear();
        } else {
            self.buffer.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, sink: &mut impl FnMut(u64, DocumentRecord)) {
        self.line += 1;
        let buffer = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.skipping) {
            let problem = format!("is longer than {MAX_LINE_BYTES} bytes");
            self.report(FieldError::new("record", problem));
            return;
        }
        let bytes = match buffer.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.line == 1 => rest,
            _ => buffer.as_slice(),
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.report(FieldError::new("record", "is not UTF-8"));
            return;
        };
        if text.trim_ascii().is_empty() {
            return;
        }
        match DocumentRecord::from_json(text, &self.rules) {
            Ok(record) => {
                let duplicates = self.seen.note(&record, self.line);
                if duplicates.is_empty() {
                    sink(self.line, record);
                }
                duplicates.into_iter().for_each(|error| self.report(error));
            }
            Err(errors) => errors.into_iter().for_each(|error| self.report(error)),
        }
    }

    fn report(&mut self, error: FieldError) {
        if self.errors.errors.len() < MAX_ERRORS {
            self.errors.errors.push(LineError { line: self.line, error });
        } else {
            self.errors.omitted += 1;
        }
    }
}

impl Seen {
    /// Remembers a record's id, number and GUID. Returns an error for each that occurred before.
    fn note(&mut self, record: &DocumentRecord, line: u64) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |field: &str, before: Option<u64>| {
            if let Some(before) = before {
                errors.push(FieldError::new(field, format!("occurs in line {before} already")));
            }
        };
        check("id", note(&mut self.ids, record.id.clone(), line));
        check("fileId", record.file_id.and_then(|file| note(&mut self.files, file, line)));
        check("objGuid", note(&mut self.guids, record.obj_guid.clone(), line));
        errors
    }
}

/// Returns the line in which the key occurred first, if this is not the first time.
fn note<K: std::hash::Hash + Eq>(seen: &mut HashMap<K, u64>, key: K, line: u64) -> Option<u64> {
    let first = *seen.entry(key).or_insert(line);
    (first != line).then_some(first)
}
