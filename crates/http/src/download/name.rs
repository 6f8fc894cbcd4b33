//! Idempotency keys: a caller that repeats a request with the same key gets the first response
//! again.

use std::collections::BTreeMap;

use docferry_app::job::IdempotencyKey;
use docferry_contract::problem::FieldError;
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// Maximum length of a key in characters.
const MAX_KEY_LENGTH: usize = 255;

/// Member of the body with the same meaning as the header `Idempotency-Key`.
const KEY_MEMBER: &str = "clientRequestId";

/// Reads the idempotency key of a request from the header `Idempotency-Key` or from the body.
pub(super) fn idempotency_key(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let by_header = header_key(headers)?;
    let by_body = match body.get(KEY_MEMBER) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let text = value.as_str().and_then(checked);
            let rule = "must be a string of 1 to 255 printable ASCII characters";
            Some(text.ok_or_else(|| invalid("/clientRequestId", rule))?)
        }
    };
    let name = match (by_header, by_body) {
        (Some(header), Some(body)) if header != body => {
            return Err(invalid("/clientRequestId", "differs from the header Idempotency-Key"));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Ok(None),
    };
    // The key itself is not part of the fingerprint, so header and body are interchangeable.
    let parameters = match body {
        Value::Object(members) => {
            let parameters = members.iter().filter(|(member, _)| *member != KEY_MEMBER);
            Value::Object(
                parameters.map(|(member, value)| (member.clone(), value.clone())).collect(),
            )
        }
        other => other.clone(),
    };
    Ok(Some(scoped_key(owner, name, &[canonical(&parameters).to_string().as_bytes()])))
}

/// Reads the idempotency key of an upload of the viewer's contract. The body has no member for it.
///
/// The path is part of the fingerprint, so a key that was used for a job is always refused here,
/// even if the bodies are equal.
pub(crate) fn upload_idempotency_key(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let parameters = canonical(body).to_string();
    let name = header_key(headers)?;
    Ok(name.map(|name| scoped_key(owner, name, &[b"document/upload", parameters.as_bytes()])))
}

/// Reads the header `Idempotency-Key`.
fn header_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(invalid("", "the header Idempotency-Key must be given once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    // The draft standard requires quotes around the key; most clients send none.
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let rule = "the header Idempotency-Key must be 1 to 255 printable ASCII characters";
    Ok(Some(checked(text).ok_or_else(|| invalid("", rule))?))
}

/// Combines the key with its owner, so that each caller has keys of its own, and adds the
/// fingerprint of the request's parameters.
fn scoped_key(owner: &str, name: &str, parameters: &[&[u8]]) -> IdempotencyKey {
    let key = hash(&[owner.as_bytes(), name.as_bytes()]);
    IdempotencyKey { key, fingerprint: hash(parameters) }
}

fn invalid(pointer: &str, detail: &str) -> ApiError {
    let (pointer, detail) = (pointer.to_owned(), detail.to_owned());
    ApiError::Invalid(vec![FieldError { pointer, detail }])
}

/// Returns the key if it has 1 to 255 printable ASCII characters.
fn checked(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    ((1..=MAX_KEY_LENGTH).contains(&text.len()) && is_plain).then_some(text)
}

/// Hashes each part with its length, so that different splits of the same bytes differ.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the value with the members of all objects in alphabetical order, because a client may
/// repeat a request with the members in another order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name.clone(), canonical(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(canonical).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name(header: Option<&str>, body: &Value, owner: &str) -> Result<Option<IdempotencyKey>, ()> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("idempotency-key", header.parse().unwrap());
        }
        idempotency_key(&headers, body, owner).map_err(drop)
    }

    #[test]
    fn idempotency_key_in_header_or_body_gives_the_same_fingerprint() {
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
    fn two_idempotency_keys_in_one_request_are_rejected() {
        let mut headers = HeaderMap::new();
        headers.append("idempotency-key", "a".parse().unwrap());
        headers.append("idempotency-key", "b".parse().unwrap());
        assert!(idempotency_key(&headers, &json!({ "file_id": 1 }), "o").is_err());
    }

    #[test]
    fn idempotency_keys_are_scoped_to_their_caller() {
        let of = |owner: &str, key: &str| {
            name(Some(key), &json!({ "file_id": 1 }), owner).unwrap().unwrap()
        };
        assert_ne!(of("a", "bc").key, of("ab", "c").key);
        assert_ne!(of("a", "k").key, of("b", "k").key);
        assert_eq!(of("a", "k").fingerprint, of("b", "l").fingerprint);
    }

    #[test]
    fn upload_key_shares_the_key_space_of_jobs_but_not_the_fingerprint() {
        let body = json!({ "objGuid": "AAAA", "clientRequestId": "ignored" });
        let headers: HeaderMap = [(
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderValue::from_static("k"),
        )]
        .into_iter()
        .collect();
        let upload = upload_idempotency_key(&headers, &body, "o").unwrap().unwrap();
        let job = name(Some("k"), &json!({ "objGuid": "AAAA" }), "o").unwrap().unwrap();
        assert_eq!(upload.key, job.key);
        assert_ne!(upload.fingerprint, job.fingerprint);
        assert_eq!(upload_idempotency_key(&HeaderMap::new(), &body, "o").unwrap(), None);
    }
}
