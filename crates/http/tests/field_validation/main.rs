//! Tests that `openapi.yaml` and the parsers accept and reject the same values of each request
//! field. Most values are close to the limits of the field's rules.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod requests;
mod strategies;

use std::sync::OnceLock;

use docferry_contract::problem::FieldError;
use docferry_openapi::Description;
use proptest::prelude::*;
use serde_json::{Value, json};

use requests::{FieldRequest, requests};
use strategies::{near_address, near_base64, near_number, near_path, near_url};

/// Parts of parser errors for rules that `openapi.yaml` describes only in words, because a pattern
/// cannot express them.
const RULES_IN_WORDS: [&str; 9] = [
    "a name must not be one of",
    "a name directly below the root",
    "a name must be at most 255",
    "a path must be at most 400",
    "cannot be displayed",
    "without invisible characters",
    "must be at most 254 characters",
    "private or special address",
    "must be an absolute https URL",
];

/// Parts of parser errors for further rules of URLs that `openapi.yaml` describes only in words.
const URL_RULES_IN_WORDS: [&str; 2] = ["a user name or a password", "must not have a fragment"];

/// Sets the value at a JSON pointer.
fn with_field(mut body: Value, pointer: &str, value: &Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value.clone();
    body
}

/// Asserts that the description and the parser both accept or both reject the value. The parser may
/// also reject a value that the description accepts, if its error contains one of `known_errors`.
fn assert_agreement(field: &str, value: &Value, known_errors: &[&str]) {
    // All cases share one description, because it takes long to build its validators.
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    let description = DESCRIPTION.get_or_init(|| Description::of_project().unwrap());
    for FieldRequest { schema, parser, body, pointer } in requests(field) {
        let body = with_field(body, &pointer, value);
        let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
        let violations = description.value_violations(&reference, &body);
        let parsed = parser(&body);
        match (&parsed, violations.is_empty()) {
            (Ok(()), true) | (Err(_), false) => {}
            (Ok(()), false) => {
                panic!("{schema}{pointer} {value}: only the description rejects it: {violations:?}")
            }
            (Err(errors), true) => {
                let is_known = |error: &FieldError| {
                    known_errors.iter().any(|known| error.detail.contains(known))
                };
                let unknown = errors.iter().find(|error| !is_known(error));
                assert!(
                    unknown.is_none(),
                    "{schema}{pointer} {value}: only the parser rejects it: {unknown:?}"
                );
            }
        }
    }
}

/// Returns the parts of all errors for rules that are described only in words.
fn all_rules_in_words() -> Vec<&'static str> {
    [RULES_IN_WORDS.as_slice(), &URL_RULES_IN_WORDS].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn description_and_parser_agree_on_object_guids(text in near_base64()) {
        assert_agreement("objGuid", &json!(text), &[]);
    }

    #[test]
    fn description_and_parser_agree_on_email_addresses(text in near_address()) {
        assert_agreement("email", &json!(text), &RULES_IN_WORDS);
    }

    /// The long addresses are around the limits of 64 characters before the `@` and 254 in total.
    #[test]
    fn description_and_parser_agree_exactly_on_ascii_addresses(
        text in "[a-c+#.]{0,3}@{0,2}[a-c./ \"\\\\?<>]{0,6}|[a-c]{62,66}@[a-c]{180,190}",
    ) {
        assert_agreement("email", &json!(text), &[]);
    }

    #[test]
    fn description_and_parser_agree_on_paths(text in near_path()) {
        assert_agreement("filePath", &json!(text), &RULES_IN_WORDS);
    }

    #[test]
    fn description_and_parser_agree_exactly_on_short_ascii_paths(text in "[ab. /:*\"<>?|\\\\\\t]{0,10}") {
        assert_agreement("filePath", &json!(text), &[]);
    }

    #[test]
    fn description_and_parser_agree_on_callback_urls(text in near_url()) {
        assert_agreement("callbackUrl", &json!(text), &all_rules_in_words());
    }

    /// A user id has at most 204 characters.
    #[test]
    fn description_and_parser_agree_on_user_ids(text in "[ -~]{0,5}|[a-c]{203,206}|\\PC{1,3}") {
        assert_agreement("userId", &json!(text), &[]);
    }

    #[test]
    fn description_and_parser_agree_on_enum_values(
        field in prop::sample::select(vec![
            "priority", "onItemError", "bundle", "destination", "class",
        ]),
        word in "low|normal|high|fail|skip|none|zip|download|onedrive|Low|civil|criminal|[a-z]{0,3}",
    ) {
        assert_agreement(field, &json!(word), &[]);
    }

    /// The range of numbers is a setting of the deployment. The description contains only the
    /// minimum 0.
    #[test]
    fn description_and_parser_agree_on_document_numbers_except_the_range(number in near_number()) {
        assert_agreement("file_id", &number, &["must be between 10000 and 100000000"]);
    }

    #[test]
    fn description_and_parser_agree_on_document_lists(
        numbers in prop::collection::vec(10_000_u64..10_004, 0..4),
        count in prop::sample::select(vec![0_u64, 1, 999, 1000, 1001]),
    ) {
        assert_agreement("file_ids", &json!(numbers), &[]);
        assert_agreement("file_ids", &json!((10_000..10_000 + count).collect::<Vec<_>>()), &[]);
    }

    #[test]
    fn description_and_parser_agree_on_guid_lists(
        guids in prop::collection::vec(near_base64(), 0..3),
        count in prop::sample::select(vec![0_u64, 1, 999, 1000, 1001]),
    ) {
        let long_list: Vec<_> = (0..count).map(|number| format!("{number:08}")).collect();
        assert_agreement("objGuids", &json!(guids), &[]);
        assert_agreement("objGuids", &json!(long_list), &[]);
    }

    /// A court file has at most 200 characters.
    #[test]
    fn description_and_parser_agree_on_court_files(
        text in "[ -~]{0,5}|[a-cé]{198,202}|[ \t\u{a0}\u{feff}\u{85}é]{0,3}|\\PC{0,8}|any",
    ) {
        assert_agreement("courtFile", &json!(text), &RULES_IN_WORDS);
    }

    #[test]
    fn description_and_parser_agree_on_transfer_lists(
        ids in prop::collection::vec("[0-9a-f]{0,33}", 0..4),
        count in prop::sample::select(vec![999_usize, 1000, 1001]),
    ) {
        assert_agreement("transferIds", &json!(ids), &[]);
        assert_agreement("transferIds", &json!(vec!["x"; count]), &[]);
    }

    #[test]
    fn description_and_parser_reject_values_of_the_wrong_type(
        field in prop::sample::select(vec![
            "objGuid", "email", "filePath", "callbackUrl", "userId", "priority", "onItemError",
            "bundle", "destination", "transferIds", "file_id", "file_ids",
            "objGuids", "courtFile", "class",
        ]),
        value in prop::sample::select(vec![json!(true), json!({}), json!(1.5), json!([[]])]),
    ) {
        assert_agreement(field, &value, &[]);
    }
}

#[test]
fn null_means_the_same_as_a_missing_member() {
    for field in ["filePath", "callbackUrl", "userId", "priority", "onItemError", "bundle"] {
        for FieldRequest { parser, body, pointer, .. } in requests(field) {
            assert!(parser(&with_field(body, &pointer, &Value::Null)).is_ok(), "{field}");
        }
    }
}
