//! Reader of registry records from NDJSON, a text format with one JSON value in each line.
//!
//! `docferry documents import` reads such a file and writes its records to the document registry. A
//! *registry record* is the metadata of one document.

use std::collections::HashMap;
use std::fmt;

use super::{DocumentId, DocumentRecord, FieldError, RecordRules};
use crate::ids::{FileId, ObjectGuid};

/// UTF-8 byte order mark, which some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Maximum length of a line, in bytes. The longest valid record ([`DocumentRecord::MAX_JSON_LEN`])
/// fits into a line, even with some white space between its tokens.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
const _: () =
    assert!(BYTE_ORDER_MARK.len() + DocumentRecord::MAX_JSON_LEN + "\r".len() <= MAX_LINE_BYTES);
/// Maximum number of errors to report for one file.
pub const MAX_ERRORS: usize = 100;

/// Error in one line of an NDJSON file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct LineError {
    /// Number of the line. The first line of a file is 1.
    pub line: u64,
    /// The faulty field and the rule that it breaks.
    pub error: FieldError,
}

/// Errors of an NDJSON file. The first [`MAX_ERRORS`] are listed, and the others are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLines {
    /// The errors, in the order of lines.
    pub errors: Vec<LineError>,
    /// Number of errors that are not reported.
    pub omitted: u64,
}

impl fmt::Display for InvalidLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if index > 0 { "\n" } else { "" })?;
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
/// Each id, number and GUID may occur in one line only. The reader accepts a byte order mark at the
/// beginning, CRLF and empty lines. It needs memory for one line, and about 200 bytes for the keys
/// of each record, by which it finds duplicates.
#[derive(Debug)]
pub struct RecordReader<'a> {
    rules: RecordRules<'a>,
    /// Bytes of the current line.
    buffer: Vec<u8>,
    /// Whether the current line is too long. Its remaining bytes are skipped.
    is_line_too_long: bool,
    /// Number of completed lines. `end_line` first counts the current line, so there it is the
    /// number of that line.
    line_number: u64,
    seen_keys: SeenKeys,
    invalid_lines: InvalidLines,
}

/// Keys of the records read so far, each with the number of the line in which it occurred first.
#[derive(Debug, Default)]
struct SeenKeys {
    ids: HashMap<DocumentId, u64>,
    files: HashMap<FileId, u64>,
    guids: HashMap<ObjectGuid, u64>,
}

impl<'a> RecordReader<'a> {
    /// Creates a reader for one file.
    #[must_use]
    pub fn new(rules: RecordRules<'a>) -> Self {
        Self {
            rules,
            buffer: Vec::new(),
            is_line_too_long: false,
            line_number: 0,
            seen_keys: SeenKeys::default(),
            invalid_lines: InvalidLines { errors: Vec::new(), omitted: 0 },
        }
    }

    /// Reads the next chunk of the file. Passes each valid record to `sink`, with the number of its
    /// line.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl FnMut(u64, DocumentRecord)) {
        // Each piece except the last ends with a line feed in the chunk, so it ends a line.
        let mut pieces = chunk.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.extend_line(piece);
            if pieces.peek().is_some() {
                self.end_line(sink);
            }
        }
    }

    /// Ends the file. If the last line has no line feed, passes its record to `sink`.
    ///
    /// # Errors
    /// [`InvalidLines`] if any line was invalid. Then the caller must discard all records of the
    /// file.
    pub fn finish(
        mut self,
        sink: &mut impl FnMut(u64, DocumentRecord),
    ) -> Result<(), InvalidLines> {
        if !self.buffer.is_empty() || self.is_line_too_long {
            self.end_line(sink);
        }
        if self.invalid_lines.errors.is_empty() { Ok(()) } else { Err(self.invalid_lines) }
    }

    /// Adds bytes to the current line.
    fn extend_line(&mut self, bytes: &[u8]) {
        if self.is_line_too_long || self.buffer.len() + bytes.len() > MAX_LINE_BYTES {
            self.is_line_too_long = true;
            self.buffer.clear();
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Ends the current line. Passes its record to `sink`, or reports its errors.
    fn end_line(&mut self, sink: &mut impl FnMut(u64, DocumentRecord)) {
        self.line_number += 1;
        let buffer = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.is_line_too_long) {
            let problem = format!("is longer than {MAX_LINE_BYTES} bytes");
            self.report(FieldError::new("record", problem));
            return;
        }
        let bytes = match buffer.strip_prefix(BYTE_ORDER_MARK) {
            Some(without_mark) if self.line_number == 1 => without_mark,
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
                let duplicates = self.seen_keys.remember(&record, self.line_number);
                if duplicates.is_empty() {
                    sink(self.line_number, record);
                }
                duplicates.into_iter().for_each(|error| self.report(error));
            }
            Err(errors) => errors.into_iter().for_each(|error| self.report(error)),
        }
    }

    /// Records an error of the current line.
    fn report(&mut self, error: FieldError) {
        if self.invalid_lines.errors.len() < MAX_ERRORS {
            self.invalid_lines.errors.push(LineError { line: self.line_number, error });
        } else {
            self.invalid_lines.omitted += 1;
        }
    }
}

impl SeenKeys {
    /// Stores the keys of a record in order to find duplicates. Returns an error for each key that
    /// occurred in an earlier line.
    fn remember(&mut self, record: &DocumentRecord, line: u64) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |field: &str, earlier_line: Option<u64>| {
            if let Some(earlier_line) = earlier_line {
                errors
                    .push(FieldError::new(field, format!("occurs in line {earlier_line} already")));
            }
        };
        let file_id_line =
            record.file_id.and_then(|file_id| remember_key(&mut self.files, file_id, line));
        check("id", remember_key(&mut self.ids, record.id.clone(), line));
        check("fileId", file_id_line);
        check("objGuid", remember_key(&mut self.guids, record.obj_guid.clone(), line));
        errors
    }
}

/// Returns the earlier line with this key. If there is none, stores `line` for the key.
fn remember_key<K: std::hash::Hash + Eq>(
    lines: &mut HashMap<K, u64>,
    key: K,
    line: u64,
) -> Option<u64> {
    let first_line = *lines.entry(key).or_insert(line);
    (first_line != line).then_some(first_line)
}
