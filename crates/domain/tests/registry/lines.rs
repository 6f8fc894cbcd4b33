//! NDJSON files: line numbers, duplicates, bounds, and chunks of any size.

use docferry_domain::document::{
    DocumentRecord, InvalidLines, MAX_ERRORS, MAX_LINE_BYTES, RecordReader,
};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{patterns, read, record, rules};

/// Reads a file in chunks of this size.
fn read_file(bytes: &[u8], chunk: usize) -> (Vec<(u64, String)>, Result<(), InvalidLines>) {
    let subjects = patterns();
    let mut records = Vec::new();
    let mut sink = |line, record: DocumentRecord| records.push((line, record.id.to_string()));
    let mut reader = RecordReader::new(rules(&subjects));
    for chunk in bytes.chunks(chunk) {
        reader.push(chunk, &mut sink);
    }
    let result = reader.finish(&mut sink);
    (records, result)
}

fn errors_of(bytes: &[u8]) -> Vec<String> {
    let errors = read_file(bytes, 7).1.unwrap_err();
    errors.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn byte_order_mark_crlf_and_empty_lines_are_accepted() {
    let (a, b) = (record("a", 1).to_string(), record("b", 2).to_string());
    let expected = vec![(1, "a".to_owned()), (3, "b".to_owned())];
    for text in
        [format!("{a}\n\n{b}\n"), format!("{a}\r\n\r\n{b}\r\n"), format!("\u{feff}{a}\n  \n{b}")]
    {
        assert_eq!(read_file(text.as_bytes(), 10), (expected.clone(), Ok(())));
    }
    assert_eq!(read_file(b"", 1), (vec![], Ok(())));
    let late_mark = format!("{a}\n\u{feff}{b}");
    assert_eq!(errors_of(late_mark.as_bytes()), ["line 2: record: is not JSON (column 1)"]);
}

#[test]
fn duplicates_name_the_earlier_line() {
    let all = [record("a", 1), record("b", 2), record("a", 2), record("c", 1)];
    let text: String = all.iter().map(|record| format!("{record}\n")).collect();
    assert_eq!(
        errors_of(text.as_bytes()),
        [
            "line 3: id: occurs in line 1 already",
            "line 3: fileId: occurs in line 2 already",
            "line 3: objGuid: occurs in line 2 already",
            "line 4: fileId: occurs in line 1 already",
            "line 4: objGuid: occurs in line 1 already",
        ]
    );
}

#[test]
fn faulty_lines_are_named_and_bounded() {
    let good = record("a", 1).to_string();
    let long = format!("{{\"id\": \"{}\"}}", "x".repeat(MAX_LINE_BYTES));
    let text = [good.as_bytes(), b"{", b"[]", b"\xff\xfe", long.as_bytes(), b"7"].join(&b'\n');
    assert_eq!(
        errors_of(&text),
        [
            "line 2: record: is not JSON (column 1)",
            "line 3: record: must be a JSON object",
            "line 4: record: is not UTF-8",
            "line 5: record: is longer than 65536 bytes",
            "line 6: record: must be a JSON object",
        ]
    );
    let errors = errors_of(&b"{\n".repeat(MAX_ERRORS + 9));
    assert_eq!((errors.len(), errors.last().unwrap().as_str()), (MAX_ERRORS + 1, "9 more errors"));
}

#[test]
fn longest_valid_record_fits_into_a_line() {
    let mut longest = record(&"x".repeat(64), 7);
    longest["objGuid"] = json!("A".repeat(256));
    longest["fileName"] = json!("\u{10348}".repeat(255));
    longest["type"] = json!("x".repeat(64));
    longest["groups"] = (0..32).map(|n| json!(format!("{n:0>64}"))).collect();
    assert!(read(&longest.to_string()).is_ok());
    // Each character of a string written as `\uXXXX`, twice for those above U+FFFF.
    let escaped = longest.to_string().chars().map(|c| 6 * c.len_utf16()).sum::<usize>();
    assert!(escaped < MAX_LINE_BYTES, "{escaped}");
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        lines in proptest::collection::vec((0..4_u64, 0..9_usize), 0..8), chunk in 1..600_usize,
    ) {
        let line = |(n, kind): &(u64, usize)| match kind {
            0 => "{".to_owned(),
            1 => String::new(),
            2 => format!("{}\r", record("cr", 100 + n)),
            _ => record(&format!("d{n}"), *n + 1).to_string(),
        };
        let text = lines.iter().map(line).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(read_file(text.as_bytes(), chunk), read_file(text.as_bytes(), usize::MAX));
    }
}
