//! A record is valid exactly when each of its fields is.

use std::collections::BTreeSet;

use docferry_domain::document::{DocumentRecord, RecordReader, RecordStatus};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fields::rule;
use crate::support::{NHS, SYSTEM, patterns, read, record, rules};

/// For each field, an index into its values, and whether it is into the valid ones.
fn choice() -> impl Strategy<Value = Vec<(bool, usize)>> {
    proptest::collection::vec((prop::bool::weighted(0.9), any::<usize>()), rule().len())
}

/// Builds a record by the rule, and the names of its faulty fields.
fn built(choice: &[(bool, usize)]) -> (Value, Vec<&'static str>) {
    let (mut record, mut faulty) = (serde_json::Map::new(), Vec::new());
    for ((name, required, mut valid, mut invalid), (is_valid, place)) in
        rule().into_iter().zip(choice)
    {
        if required {
            invalid.push(Value::Null);
        } else {
            valid.push(Value::Null);
        }
        let values = if *is_valid { valid } else { invalid };
        if !is_valid {
            faulty.push(name);
        }
        let value = values[place % values.len()].clone();
        // A null and a missing member are the same.
        if !value.is_null() || place % 2 == 0 {
            record.insert(name.to_owned(), value);
        }
    }
    (Value::Object(record), faulty)
}

proptest! {
    #[test]
    fn record_is_valid_when_each_field_is(choice in choice()) {
        let (record, faulty) = built(&choice);
        match read(&record.to_string()) {
            Ok(_) => prop_assert!(faulty.is_empty(), "{faulty:?} in {record}"),
            Err(errors) => {
                let named: Vec<_> =
                    errors.iter().map(|error| error.split(':').next().unwrap()).collect();
                prop_assert_eq!(named, faulty, "{:?}", errors);
            }
        }
    }

    #[test]
    fn stored_form_of_a_valid_record_is_read_unchanged(
        choice in choice().prop_map(|all| all.into_iter().map(|(_, n)| (true, n)).collect::<Vec<_>>()),
    ) {
        let record = read(&built(&choice).0.to_string()).unwrap();
        let stored = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<DocumentRecord>(&stored).unwrap(), record.clone());
        // The normal form is stable: importing it again changes nothing.
        prop_assert_eq!(read(&stored).unwrap(), record);
    }
}

#[test]
fn every_field_of_the_rule_is_a_member() {
    let names: Vec<_> = rule().iter().map(|row| row.0).collect();
    assert_eq!(names, DocumentRecord::FIELDS);
}

#[test]
fn every_value_of_the_rule_is_accepted_or_refused() {
    for (name, required, mut valid, mut invalid) in rule() {
        if required {
            invalid.push(Value::Null);
        } else {
            valid.push(Value::Null);
        }
        for (values, is_valid) in [(valid, true), (invalid, false)] {
            for value in values {
                let mut record = record("a", 7);
                record[name] = value;
                let read = read(&record.to_string());
                assert_eq!(read.is_ok(), is_valid, "{name}: {} {read:?}", record[name]);
            }
        }
    }
}

#[test]
fn unknown_and_duplicate_members_are_refused() {
    let mut unknown = record("a", 7);
    unknown["colour"] = json!("red");
    assert_eq!(read(&unknown.to_string()), Err(vec!["colour: is not a member of a record".into()]));
    let text = record("a", 7).to_string();
    let twice = text.replacen('{', r#"{"size": 1, "#, 1);
    assert_eq!(read(&twice), Err(vec!["size: occurs twice".into()]));
    let nested = text.replace(r#""system""#, r#""value": "S-9", "system""#);
    assert_eq!(read(&nested), Err(vec!["subject: value: occurs twice".into()]));
}

/// Text that is planted as a value and must not be in any error.
const CANARY: &str = "CANARY-7f3a";

/// Values that contain the canary, as a member may have them.
fn canaries() -> Vec<Value> {
    let texts = [
        CANARY.to_owned(),
        format!(" {CANARY}\n"),
        format!("{CANARY}/\\{CANARY}"),
        format!("2026-02-01T00:00:00Z[{CANARY}]"),
        format!("text/plain; {CANARY}"),
        CANARY.repeat(40),
        format!("{CANARY}\u{202e}"),
    ];
    let nested = texts.iter().flat_map(|text| {
        [
            json!([text]),
            json!([text, text]),
            json!([[text]]),
            json!({"value": text}),
            json!({"system": text}),
            json!({"system": text, "value": text}),
            json!({"system": NHS, "value": text}),
            json!({"system": SYSTEM, "value": {"value": text}}),
            json!({"value": "S-1", "type": text}),
        ]
    });
    texts.iter().map(|text| json!(text)).chain(nested).collect()
}

#[test]
fn no_error_contains_a_value() {
    let subjects = patterns();
    let rules = rules(&subjects);
    let mut errors = Vec::new();
    // All errors of one line of a file, and of the same line after a record with the same keys.
    let mut collect = |line: &str| {
        let mut reader = RecordReader::new(rules);
        let lines = format!("{line}\n{line}\n");
        reader.push(lines.as_bytes(), &mut |_, _| ());
        if let Err(invalid) = reader.finish(&mut |_, _| ()) {
            errors.push(format!("{invalid} {invalid:?}"));
        }
        if let Err(invalid) = DocumentRecord::from_json(line, &rules) {
            let texts = invalid.iter().map(ToString::to_string);
            errors.push(format!("{} {invalid:?}", texts.collect::<String>()));
        }
    };
    for name in DocumentRecord::FIELDS {
        for value in canaries() {
            let mut record = record("a", 7);
            record[name] = value.clone();
            let line = record.to_string();
            collect(&line);
            // The value is not JSON, or the line ends inside it.
            collect(&line.replacen(&value.to_string(), &format!("{CANARY}-9"), 1));
            collect(&line[..line.find(CANARY).unwrap() + CANARY.len()]);
            collect(&line.replacen('{', &format!("{{\"{name}\": {value}, "), 1));
        }
    }
    // Values of all rows of the rule at once, and a member that no record has.
    for value in canaries() {
        let all = DocumentRecord::FIELDS.iter().map(|name| ((*name).to_owned(), value.clone()));
        collect(&Value::Object(all.collect()).to_string());
        collect(&json!({"colour": value}).to_string());
        collect(&value.to_string());
    }
    assert!(errors.len() > 2_000, "{}", errors.len());
    for error in errors {
        assert!(!error.contains(CANARY), "{error}");
    }
}

#[test]
fn debug_output_hides_subject_and_file_name() {
    let debug = format!("{:?}", read(&record("a", 7).to_string()).unwrap());
    assert!(!debug.contains("S-123456") && !debug.contains("order.pdf"), "{debug}");
}

#[test]
fn times_have_the_form_of_rfc_3339() {
    let read = |time: &str| {
        let mut record = record("a", 7);
        record["created"] = json!(time);
        read(&record.to_string()).map(|record| record.created.to_string())
    };
    for (time, instant) in [
        ("2026-02-01T10:00:00Z", "2026-02-01T10:00:00Z"),
        ("2026-02-01T10:00:00.5Z", "2026-02-01T10:00:00.5Z"),
        ("2026-02-01T10:00:00.123456789-08:30", "2026-02-01T18:30:00.123Z"),
        ("2026-02-01T10:00:00+23:59", "2026-01-31T10:01:00Z"),
        ("2026-02-01T10:00:00-00:00", "2026-02-01T10:00:00Z"),
        ("2024-02-29T23:59:59+00:00", "2024-02-29T23:59:59Z"),
    ] {
        assert_eq!(read(time).as_deref(), Ok(instant), "{time}");
    }
    for bad in [
        "2026-02-01",
        "2026-02-01T10Z",
        "2026-02-01T10:00Z",
        "2026-02-01T10:00:00",
        "2026-02-01 10:00:00Z",
        "2026-02-01_10:00:00Z",
        "2026-02-01t10:00:00Z",
        "2026-02-01T10:00:00z",
        "2026-02-01T10:00:00 Z",
        " 2026-02-01T10:00:00Z",
        "2026-02-01T10:00:00Z ",
        "20260201T100000Z",
        "2026-02-01T100000Z",
        "2026-032T10:00:00Z",
        "2026-W05-7T10:00:00Z",
        "+002026-02-01T10:00:00Z",
        "2026-02-01T10:00:00.Z",
        "2026-02-01T10:00:00,5Z",
        "2026-02-01T10:00:00.1234567890Z",
        "2026-02-01T10:00:60Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T10:60:00Z",
        "2026-02-30T10:00:00Z",
        "2026-02-01T10:00:00+01",
        "2026-02-01T10:00:00+0100",
        "2026-02-01T10:00:00+1:00",
        "2026-02-01T10:00:00+01:00:00",
        "2026-02-01T10:00:00+24:00",
        "2026-02-01T10:00:00+01:60",
        "2026-02-01T10:00:00\u{2212}01:00",
        "2026-02-01T10:00:00Z[UTC]",
        "2026-02-01T10:00:00+01:00[Europe/Paris]",
        "2026-02-01T10:00:00[Europe/Paris]",
        "Sun, 01 Feb 2026 10:00:00 GMT",
        "２026-02-01T10:00:00Z",
    ] {
        let error = "created: must be an RFC 3339 time with Z or an offset, \
                     such as 2026-01-31T10:00:00Z";
        assert_eq!(read(bad), Err(vec![error.to_owned()]), "{bad}");
    }
}

/// The stored form has a member for each field of the type: a field without one does not compile
/// here, and a member that [`DocumentRecord::FIELDS`] does not list fails.
#[test]
fn stored_form_has_every_field() {
    let full = read(&record("a", 7).to_string()).unwrap();
    let stored = serde_json::to_value(&full).unwrap();
    let DocumentRecord {
        id,
        subject,
        file_id,
        obj_guid,
        file_name,
        content_type,
        size,
        created,
        indexed,
        type_code,
        category,
        doc_status,
        status,
        scan_result,
        withdrawn_at,
        groups,
    } = full;
    let expected = json!({
        "id": id,
        "subject": {"system": subject.system(), "value": subject.value()},
        "fileId": file_id,
        "objGuid": obj_guid,
        "fileName": file_name,
        "contentType": content_type,
        "size": size,
        "created": created,
        "indexed": indexed,
        "type": type_code,
        "category": category,
        "docStatus": doc_status,
        "status": status,
        "scanResult": scan_result,
        "withdrawnAt": withdrawn_at,
        "groups": groups,
    });
    assert_eq!(stored, expected);
    let names: BTreeSet<_> = stored.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(DocumentRecord::FIELDS));
}

#[test]
fn times_are_cut_to_milliseconds() {
    let record = read(&record("a", 7).to_string()).unwrap();
    assert_eq!(record.created, "2026-02-01T16:00:00.123Z".parse::<Timestamp>().unwrap());
    assert_eq!(record.position().sort_key(), "2026-02-02T08:00:00.000Z#a");
}

#[test]
fn merged_record_keeps_a_withdrawal() {
    let withdrawn = read(&record("a", 7).to_string()).unwrap();
    let mut repeated = record("a", 7);
    repeated["withdrawnAt"] = Value::Null;
    repeated["size"] = json!(99);
    let repeated = read(&repeated.to_string()).unwrap();
    let merged = withdrawn.merged_with(&repeated).unwrap();
    assert_eq!((merged.size, merged.withdrawn_at), (99, withdrawn.withdrawn_at));
    assert_eq!(repeated.merged_with(&withdrawn), Some(withdrawn.clone()));
    assert!(repeated.is_listed() && !merged.is_listed());
    assert!(!DocumentRecord { status: RecordStatus::Superseded, ..repeated }.is_listed());
}
