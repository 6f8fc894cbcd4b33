//! Reads the coverage of a verified token: the claims that say which documents the caller may see.
//!
//! One claim lists subjects (court files or patients), and another one lists entitlement groups.
//! The caller may see the documents of each of them.

use std::collections::BTreeSet;

use docferry_domain::document::Coverage;

use super::claims::{Claims, texts};
use super::settings::OidcSettings;

/// Maximum length of the coverage in JSON, in bytes. API Gateway passes the coverage to the
/// functions with each request, as a part of the authorizer's context.
const MAX_CONTEXT_BYTES: usize = 4 * 1024;
/// Length of the brackets of a JSON list, in bytes.
const BRACKETS_BYTES: usize = 2;
/// Length of the comma after an entry of a JSON list, in bytes.
const COMMA_BYTES: usize = 1;

/// Returns the subjects and groups whose documents the caller may see. Malformed entries are
/// ignored.
///
/// Entries that do not fit into [`MAX_CONTEXT_BYTES`] are dropped. Subjects are added before
/// groups, each in the order of their claim.
pub(super) fn documents(claims: &Claims, settings: &OidcSettings) -> BTreeSet<Coverage> {
    let subjects = texts(claims, &settings.subjects_claim)
        .filter_map(|text| settings.subjects.read_text(text).ok().map(Coverage::Subject));
    let groups = texts(claims, &settings.groups_claim)
        .filter_map(|text| text.parse().ok().map(Coverage::Group));
    let mut covered = BTreeSet::new();
    let mut dropped_entries = 0_usize;
    let mut json_bytes = BRACKETS_BYTES;
    for coverage in subjects.chain(groups) {
        if covered.contains(&coverage) {
            continue;
        }
        let entry_bytes = serde_json::to_string(&coverage).map_or(usize::MAX, |json| json.len());
        // The last entry has no comma. Its byte is counted nevertheless, for simplicity.
        let new_json_bytes = json_bytes.saturating_add(entry_bytes).saturating_add(COMMA_BYTES);
        if new_json_bytes > MAX_CONTEXT_BYTES {
            dropped_entries += 1;
        } else {
            json_bytes = new_json_bytes;
            covered.insert(coverage);
        }
    }
    if dropped_entries > 0 {
        tracing::warn!(claims.dropped = dropped_entries, "claims exceed the authorizer context");
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings() -> OidcSettings {
        let systems = r#"[
            {"system": "urn:docferry:court-file", "pattern": "court-file"},
            {"system": "urn:example:mrn", "pattern": "[0-9]+"}
        ]"#;
        OidcSettings {
            issuer: String::new(),
            audience: String::new(),
            jwks_url: None,
            subject_claim: String::new(),
            scope_claim: String::new(),
            graph_user_claim: String::new(),
            subjects_claim: "docferry_subjects".to_owned(),
            groups_claim: "realm_access.groups".to_owned(),
            subjects: systems.parse().unwrap(),
        }
    }

    fn documents_of(claims: &Value) -> BTreeSet<Coverage> {
        documents(claims.as_object().unwrap(), &settings())
    }

    fn subject_of(system: &str, value: &str) -> Coverage {
        Coverage::Subject(settings().subjects.read(Some(system), value).unwrap())
    }

    #[test]
    fn subjects_and_groups_are_read_from_strings_and_lists() {
        let court_file = || subject_of("urn:docferry:court-file", "S-1");
        let patient = || subject_of("urn:example:mrn", "7");
        let group = |name: &str| Coverage::Group(name.parse().unwrap());
        for (claims, expected) in [
            (json!({ "docferry_subjects": "s-1" }), vec![court_file()]),
            (
                json!({ "docferry_subjects": ["urn:example:mrn|7", "S-1", "s-1"] }),
                vec![court_file(), patient()],
            ),
            (json!({ "realm_access": { "groups": "civil law" } }), vec![group("civil law")]),
            (
                json!({ "realm_access.groups": ["civil", "criminal"] }),
                vec![group("civil"), group("criminal")],
            ),
            // Malformed entries cover nothing.
            (
                json!({ "docferry_subjects": ["", "-", "urn:other|1", "urn:example:mrn|x", "|S-1", 7, null] }),
                vec![],
            ),
            (json!({ "realm_access.groups": ["", " ", "a\n", "x".repeat(300), 7, {}] }), vec![]),
            (json!({ "docferry_subjects": { "S-1": true }, "groups": ["civil"] }), vec![]),
            (json!({}), vec![]),
        ] {
            assert_eq!(documents_of(&claims), expected.into_iter().collect(), "{claims}");
        }
    }

    #[test]
    fn context_is_at_most_four_kibibytes() {
        let subjects: Vec<_> = (0..1_000).map(|number| format!("S-{number}")).collect();
        let covered = documents_of(
            &json!({ "docferry_subjects": subjects, "realm_access.groups": ["civil"] }),
        );
        let json = serde_json::to_string(&covered).unwrap();
        assert!(json.len() <= MAX_CONTEXT_BYTES && json.len() > MAX_CONTEXT_BYTES - 100);
        assert!(covered.contains(&subject_of("urn:docferry:court-file", "S-0")));
    }
}
