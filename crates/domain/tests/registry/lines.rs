//! NDJSON files: line numbers, duplicates, bounds, and chunks of any size.

use docferry_domain::document::{
    DocumentRecord, InvalidLines, MAX_ERRORS, MAX_LINE_BYTES, RecordReader, SubjectPatterns,
    SystemSetting,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{patterns, record, rules};

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

/// The longest valid record: each field has its maximum length.
fn longest_record() -> Value {
    let system = longest_system();
    let time = |fraction: &str| format!("2026-02-01T23:59:59.{fraction}+14:00");
    let mut longest = record(&"x".repeat(64), (1 << 53) - 1);
    longest["subject"] = json!({"system": system, "value": format!("S-1{}", " ".repeat(125))});
    longest["objGuid"] = json!("A".repeat(256));
    longest["fileName"] = json!("\u{10348}".repeat(255));
    longest["contentType"] = json!(format!("text/{}", "x".repeat(250)));
    longest["size"] = json!((1_u64 << 53) - 1);
    longest["type"] = json!("x".repeat(64));
    longest["category"] = json!("x".repeat(64));
    longest["docStatus"] = json!("preliminary");
    longest["status"] = json!("superseded");
    longest["scanResult"] = json!("unscanned");
    for name in ["created", "indexed", "withdrawnAt"] {
        longest[name] = json!(time("999999999"));
    }
    longest["groups"] = (0..32).map(|n| json!(format!("{n:0>64}"))).collect();
    longest
}

/// The longest URI that a system of subject identifiers can have.
fn longest_system() -> String {
    format!("urn:{}", "x".repeat(252))
}

/// Writes each character inside the strings of a JSON text without escapes as `\uXXXX`.
fn fully_escaped(json: &str) -> String {
    let mut is_string = false;
    let escape = |c: char| -> String {
        is_string ^= c == '"';
        if c == '"' || !is_string {
            return c.to_string();
        }
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    json.chars().map(escape).collect()
}

#[test]
fn longest_valid_record_fits_into_a_line() {
    let setting = SystemSetting { system: longest_system(), pattern: "court-file".into() };
    let subjects = SubjectPatterns::try_from(vec![setting]).unwrap();
    let read = |text: &str| DocumentRecord::from_json(text, &rules(&subjects));
    let plain = longest_record().to_string();
    let escaped = fully_escaped(&plain);
    assert_eq!(escaped.len(), DocumentRecord::MAX_JSON_LEN);
    assert_eq!(read(&escaped), read(&plain));
    let file = format!("\u{feff}{escaped}\r\n");
    let mut reader = RecordReader::new(rules(&subjects));
    let mut lines = Vec::new();
    reader.push(file.as_bytes(), &mut |line, _| lines.push(line));
    assert_eq!(reader.finish(&mut |_, _| ()), Ok(()));
    assert_eq!(lines, [1]);
}

/// No field is longer in a valid record than in the longest record.
#[test]
fn record_with_a_longer_field_is_refused() {
    let setting = SystemSetting { system: longest_system(), pattern: "court-file".into() };
    let subjects = SubjectPatterns::try_from(vec![setting]).unwrap();
    let longest = longest_record();
    for (name, value) in longest.as_object().unwrap() {
        let lengthened = match value {
            Value::String(text) => match name.as_str() {
                // Longer, and otherwise of the same form.
                "created" | "indexed" | "withdrawnAt" => json!(text.replace('+', "9+")),
                "objGuid" => json!(format!("{text}AAAA")),
                "fileName" => json!(format!("{text}x")),
                _ => json!(format!("{text}{}", text.chars().next_back().unwrap())),
            },
            Value::Number(number) => json!(number.as_u64().unwrap() * 10),
            Value::Object(_) => {
                json!({"system": longest_system(), "value": format!("S-1{}", " ".repeat(126))})
            }
            _ => (0..33).map(|n| json!(format!("g{n}"))).collect(),
        };
        let mut longer = longest.clone();
        longer[name] = lengthened;
        let errors = DocumentRecord::from_json(&longer.to_string(), &rules(&subjects)).unwrap_err();
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, name.as_str()), "{errors:?}");
    }
    let setting = SystemSetting { system: format!("{}x", longest_system()), pattern: "1".into() };
    assert!(SubjectPatterns::try_from(vec![setting]).is_err());
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
