//! Reads the claims of a verified token that identify the caller: its subject, its scopes and its
//! user id in Microsoft Graph.
//!
//! The issuer's configuration decides which claims contain them. Claims with an id are named by a
//! plain `name`. Claims with scopes, subjects or groups are named by a `path`, which may lead into
//! nested objects.

use docferry_contract::scope::Scopes;
use serde_json::{Map, Value};

/// Maximum length of a subject in bytes.
const MAX_SUBJECT_BYTES: usize = 200;
/// Length of a UUID in bytes: groups of 8, 4, 4, 4 and 12 digits, separated by hyphens.
const UUID_BYTES: usize = 36;

/// Claims of a token by name.
pub(super) type Claims = Map<String, Value>;

/// Returns the value of the subject claim if it is allowed as a principal: 1 to 200 printable ASCII
/// characters without spaces and without `@`.
///
/// The principal is the name of the caller in records, messages and logs. These must not contain
/// email addresses.
pub(super) fn subject<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    let subject = claims.get(name)?.as_str()?;
    let is_printable = subject.bytes().all(|byte| byte.is_ascii_graphic());
    let has_allowed_length = (1..=MAX_SUBJECT_BYTES).contains(&subject.len());
    let is_allowed = has_allowed_length && is_printable && !subject.contains('@');
    is_allowed.then_some(subject)
}

/// Returns the caller's user id in Microsoft Graph in lower case, as Entra writes it. Returns
/// `None` if the claim is not a UUID: an issuer other than Entra may use the claim for other
/// values, which must not be mistaken for the id of a Graph user.
pub(super) fn graph_user(claims: &Claims, name: &str) -> Option<String> {
    let id = claims.get(name)?.as_str()?;
    let is_uuid = id.len() == UUID_BYTES
        && id.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid.then(|| id.to_ascii_lowercase())
}

/// Returns the scopes of docferry that a claim contains, such as `docferry.read`. The claim may be
/// a string with spaces between the scopes, or a list of strings. A claim of another type contains
/// no scopes.
pub(super) fn scopes(claims: &Claims, path: &str) -> Scopes {
    match claim_at(claims, path) {
        Some(Value::String(text)) => Scopes::parse(text),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Scopes::default(),
    }
}

/// Returns the strings that a claim contains. The claim may be one string, or a list in which all
/// values but strings are skipped. A claim of another type contains no strings.
pub(super) fn texts<'a>(claims: &'a Claims, path: &str) -> impl Iterator<Item = &'a str> {
    let (single_text, list) = match claim_at(claims, path) {
        Some(Value::String(text)) => (Some(text.as_str()), None),
        Some(Value::Array(list)) => (None, Some(list)),
        _ => (None, None),
    };
    single_text.into_iter().chain(list.into_iter().flatten().filter_map(Value::as_str))
}

/// Returns the claim at a path such as `realm_access.roles`.
///
/// A claim whose name is the whole path comes first, because the name of a claim can contain dots.
/// If there is no such claim, each part of the path is the name of a member of the previous one.
fn claim_at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (parent_name, nested_path) = path.split_once('.')?;
    claim_at(claims.get(parent_name)?.as_object()?, nested_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_contract::scope::Scope;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn scopes_are_read_from_strings_lists_and_nested_claims() {
        for (path, value) in [
            ("scope", json!({ "scope": "openid docferry.read other" })),
            ("scp", json!({ "scp": "docferry.read" })),
            ("client_roles", json!({ "client_roles": ["docferry.read", "uma", 5] })),
            ("roles", json!({ "roles": ["docferry.read"] })),
            ("realm_access.roles", json!({ "realm_access": { "roles": ["docferry.read"] } })),
            ("https://x.example/roles", json!({ "https://x.example/roles": ["docferry.read"] })),
        ] {
            assert_eq!(scopes(&claims(value), path), Scopes::from(Scope::Read), "{path}");
        }
        // These claims contain no scope of docferry.
        for value in [
            json!({}),
            json!({ "scope": null }),
            json!({ "scope": 5 }),
            json!({ "scope": { "docferry.read": true } }),
            json!({ "scope": ["docferry.read docferry.write"] }),
            json!({ "other": "docferry.read" }),
        ] {
            assert_eq!(scopes(&claims(value.clone()), "scope"), Scopes::default(), "{value}");
        }
    }

    #[test]
    fn graph_user_claim_must_be_a_uuid() {
        let graph_user_of = |value: Value| graph_user(&claims(json!({ "oid": value })), "oid");
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(graph_user_of(json!(id)).as_deref(), Some(id));
        assert_eq!(graph_user_of(json!(id.to_uppercase())).as_deref(), Some(id));
        for bad in [json!(null), json!(5), json!(""), json!("ada"), json!(id.replace('-', "_"))] {
            assert_eq!(graph_user_of(bad), None);
        }
        assert_eq!(graph_user(&claims(json!({})), "oid"), None);
    }

    #[test]
    fn subject_must_be_short_printable_and_not_an_email_address() {
        let is_accepted = |value: Value| subject(&claims(json!({ "sub": value })), "sub").is_some();
        for allowed in ["a", "auth0|5f7", "f:1c2d:4711", "scv", &"x".repeat(200)] {
            assert!(is_accepted(json!(allowed)), "{allowed}");
        }
        for forbidden in
            ["", " ", "a b", "a\n", "é", "a\u{0}", "ada@court.example", &"x".repeat(201)]
        {
            assert!(!is_accepted(json!(forbidden)), "{forbidden:?}");
        }
        for wrong_type in [json!(null), json!(5), json!(["a"]), json!({})] {
            assert!(!is_accepted(wrong_type));
        }
    }
}
