//! A record is valid exactly when each of its fields is.

use docferry_domain::document::{DocumentRecord, RecordStatus};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fields::rule;
use crate::support::{read, record};

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

#[test]
fn no_error_contains_a_value() {
    for (name, _, _, invalid) in rule() {
        for value in invalid.iter().chain([&json!("SECRET-9"), &json!({"value": "SECRET 9"})]) {
            let mut record = record("a", 7);
            record[name] = value.clone();
            if let Err(errors) = read(&record.to_string()) {
                assert!(!errors.concat().contains("SECRET"), "{errors:?}");
            }
        }
    }
    let debug = format!("{:?}", read(&record("a", 7).to_string()).unwrap());
    assert!(!debug.contains("S-123456") && !debug.contains("order.pdf"), "{debug}");
}

#[test]
fn times_are_cut_to_milliseconds() {
    let record = read(&record("a", 7).to_string()).unwrap();
    assert_eq!(record.created, "2026-02-01T16:00:00.123Z".parse::<Timestamp>().unwrap());
    assert_eq!(record.position().sort_key(), "2026-02-02T08:00:00.000Z#a");
}

#[test]
fn upsert_keeps_a_withdrawal() {
    let withdrawn = read(&record("a", 7).to_string()).unwrap();
    let mut repeated = record("a", 7);
    repeated["withdrawnAt"] = Value::Null;
    repeated["size"] = json!(99);
    let repeated = read(&repeated.to_string()).unwrap();
    let merged = repeated.clone().upserted_over(&withdrawn);
    assert_eq!((merged.size, merged.withdrawn_at), (99, withdrawn.withdrawn_at));
    assert_eq!(withdrawn.clone().upserted_over(&repeated), withdrawn);
    assert!(repeated.is_listed() && !merged.is_listed());
    assert!(!DocumentRecord { status: RecordStatus::Superseded, ..repeated }.is_listed());
}
