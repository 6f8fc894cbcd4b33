//! The name that a caller gives a request, so that it may send it again.

use std::collections::BTreeMap;

use docferry_app::download::RequestName;
use docferry_contract::problem::FieldError;
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::problem::ApiError;

/// Longest name, in characters.
const LONGEST: usize = 255;

/// The member of a body that means the same as the header.
const MEMBER: &str = "clientRequestId";

/// The name of a request, by the header `Idempotency-Key` or by its body.
pub(super) fn request_name(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<RequestName>, ApiError> {
    let by_header = header_name(headers)?;
    let by_body = match body.get(MEMBER) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let text = value.as_str().and_then(checked);
            let rule = "must be a string of 1 to 255 printable ASCII characters";
            Some(text.ok_or_else(|| wrong("/clientRequestId", rule))?)
        }
    };
    let name = match (by_header, by_body) {
        (Some(header), Some(body)) if header != body => {
            return Err(wrong("/clientRequestId", "differs from the header Idempotency-Key"));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Ok(None),
    };
    let asked = match body {
        Value::Object(members) => {
            let asked = members.iter().filter(|(member, _)| *member != MEMBER);
            Value::Object(asked.map(|(member, value)| (member.clone(), value.clone())).collect())
        }
        other => other.clone(),
    };
    Ok(Some(named(owner, name, &[in_order(&asked).to_string().as_bytes()])))
}

/// The name of a request of the viewer's contract, whose body has no member for it.
///
/// The call is part of the fingerprint: a key that was used for a job is refused here,
/// whatever the two bodies hold.
pub(crate) fn upload_name(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<RequestName>, ApiError> {
    let asked = in_order(body).to_string();
    let name = header_name(headers)?;
    Ok(name.map(|name| named(owner, name, &[b"document/upload", asked.as_bytes()])))
}

fn header_name(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(wrong("", "the header Idempotency-Key must be given once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    // The draft standard writes a string in quotes; most clients do not.
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let rule = "the header Idempotency-Key must be 1 to 255 printable ASCII characters";
    Ok(Some(checked(text).ok_or_else(|| wrong("", rule))?))
}

fn named(owner: &str, name: &str, asked: &[&[u8]]) -> RequestName {
    // With their lengths, so that no two pairs look alike.
    let key = hash(&[owner.as_bytes(), name.as_bytes()]);
    RequestName { key, fingerprint: hash(asked) }
}

fn wrong(pointer: &str, detail: &str) -> ApiError {
    let (pointer, detail) = (pointer.to_owned(), detail.to_owned());
    ApiError::Invalid(vec![FieldError { pointer, detail }])
}

fn checked(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    ((1..=LONGEST).contains(&text.len()) && is_plain).then_some(text)
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same value with the members of objects in the alphabet's order: a client may
/// write them in another order the next time.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name.clone(), in_order(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(in_order).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name(header: Option<&str>, body: &Value, owner: &str) -> Result<Option<RequestName>, ()> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("idempotency-key", header.parse().unwrap());
        }
        request_name(&headers, body, owner).map_err(drop)
    }

    #[test]
    fn header_and_body_mean_the_same_and_the_order_of_members_nothing() {
        let by_header = name(Some("k 1"), &json!({ "file_id": 1, "a": { "x": 1, "y": 2 } }), "o");
        let text = r#"{ "a": { "y": 2, "x": 1 }, "file_id": 1, "clientRequestId": "k 1" }"#;
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(by_header, name(None, &body, "o"));
        assert_eq!(by_header, name(Some("\"k 1\""), &body, "o"));
        assert_eq!(name(None, &json!({ "file_id": 1 }), "o"), Ok(None));
        assert!(name(Some("other"), &body, "o").is_err());
        for bad in ["", "\u{1}", &"x".repeat(256)] {
            assert!(name(None, &json!({ "clientRequestId": bad }), "o").is_err());
        }
        assert!(name(None, &json!({ "clientRequestId": 5 }), "o").is_err());
    }

    #[test]
    fn two_keys_in_one_request_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append("idempotency-key", "a".parse().unwrap());
        headers.append("idempotency-key", "b".parse().unwrap());
        assert!(request_name(&headers, &json!({ "file_id": 1 }), "o").is_err());
    }

    #[test]
    fn names_are_their_callers_own() {
        let of = |owner: &str, key: &str| {
            name(Some(key), &json!({ "file_id": 1 }), owner).unwrap().unwrap()
        };
        assert_ne!(of("a", "bc").key, of("ab", "c").key);
        assert_ne!(of("a", "k").key, of("b", "k").key);
        assert_eq!(of("a", "k").fingerprint, of("b", "l").fingerprint);
    }

    #[test]
    fn upload_key_shares_the_callers_names_but_not_the_fingerprint() {
        let body = json!({ "objGuid": "AAAA", "clientRequestId": "ignored" });
        let headers: HeaderMap = [(
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderValue::from_static("k"),
        )]
        .into_iter()
        .collect();
        let upload = upload_name(&headers, &body, "o").unwrap().unwrap();
        let job = name(Some("k"), &json!({ "objGuid": "AAAA" }), "o").unwrap().unwrap();
        assert_eq!(upload.key, job.key);
        assert_ne!(upload.fingerprint, job.fingerprint);
        assert_eq!(upload_name(&HeaderMap::new(), &body, "o").unwrap(), None);
    }
}
