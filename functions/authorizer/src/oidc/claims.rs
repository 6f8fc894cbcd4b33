//! Claims of a token that identify the caller and its scopes.

use docferry_contract::scope::Scopes;
use serde_json::{Map, Value};

pub(super) type Claims = Map<String, Value>;

/// Returns the subject if it is allowed as a principal: 1 to 200 printable ASCII characters without
/// spaces and without `@`.
///
/// The principal is written to records, messages and logs, which must not contain email addresses.
pub(super) fn subject<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    let subject = claims.get(name)?.as_str()?;
    let is_printable = subject.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = (1..=200).contains(&subject.len()) && is_printable && !subject.contains('@');
    fits.then_some(subject)
}

/// Returns the id of a Microsoft Graph user in lower case, as Entra writes it; `None` unless the
/// claim is a UUID.
///
/// Another issuer may use the claim for something else. Such a value must not be mistaken for the
/// id of a Graph user.
pub(super) fn graph_user(claims: &Claims, name: &str) -> Option<String> {
    let id = claims.get(name)?.as_str()?;
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid.then(|| id.to_ascii_lowercase())
}

/// Returns the known scopes in a claim: a string with spaces between the scopes, or a list of
/// strings. A claim of any other type gives no scopes.
pub(super) fn scopes(claims: &Claims, path: &str) -> Scopes {
    match claim_at(claims, path) {
        Some(Value::String(text)) => Scopes::parse(text),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Scopes::default(),
    }
}

/// Returns the claim with the name `path` (names can contain dots), or the nested claim at the
/// path.
fn claim_at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    claim_at(claims.get(first)?.as_object()?, rest)
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
        let of = |value: Value| graph_user(&claims(json!({ "oid": value })), "oid");
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(of(json!(id)).as_deref(), Some(id));
        assert_eq!(of(json!(id.to_uppercase())).as_deref(), Some(id));
        for bad in [json!(null), json!(5), json!(""), json!("ada"), json!(id.replace('-', "_"))] {
            assert_eq!(of(bad), None);
        }
        assert_eq!(graph_user(&claims(json!({})), "oid"), None);
    }

    #[test]
    fn subject_must_be_short_printable_and_not_an_email_address() {
        let of = |value: Value| subject(&claims(json!({ "sub": value })), "sub").is_some();
        for good in ["a", "auth0|5f7", "f:1c2d:4711", "scv", &"x".repeat(200)] {
            assert!(of(json!(good)), "{good}");
        }
        for bad in ["", " ", "a b", "a\n", "é", "a\u{0}", "ada@court.example", &"x".repeat(201)] {
            assert!(!of(json!(bad)), "{bad:?}");
        }
        for bad in [json!(null), json!(5), json!(["a"]), json!({})] {
            assert!(!of(bad));
        }
    }
}
