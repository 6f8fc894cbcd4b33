//! Idempotency keys of requests. A caller that repeats a request with the same key receives the
//! first response again, and no second job is created.
//!
//! A key is stored with the *fingerprint* of its request, which is a hash of the parameters. A
//! later request with the same key and another fingerprint is rejected.

use std::collections::BTreeMap;

use docferry_app::job::IdempotencyKey;
use docferry_contract::problem::FieldError;
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// Maximum length of a key in characters.
const MAX_KEY_LENGTH: usize = 255;

/// Member of a request body that has the same meaning as the header `Idempotency-Key`.
const KEY_MEMBER: &str = "clientRequestId";

/// Reads the idempotency key of a request from the header `Idempotency-Key` or from the body.
pub(super) fn idempotency_key(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let key = match (header_key(headers)?, body_key(body)?) {
        (Some(in_header), Some(in_body)) if in_header != in_body => {
            return Err(invalid("/clientRequestId", "differs from the header Idempotency-Key"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => return Ok(None),
    };
    let parameters = canonical(&without_key(body)).to_string();
    Ok(Some(scoped_key(owner, key, &[parameters.as_bytes()])))
}

/// Reads the idempotency key from the body.
fn body_key(body: &Value) -> Result<Option<&str>, ApiError> {
    match body.get(KEY_MEMBER) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let key = value.as_str().and_then(valid_key);
            let rule = "must be a string of 1 to 255 printable ASCII characters";
            Ok(Some(key.ok_or_else(|| invalid("/clientRequestId", rule))?))
        }
    }
}

/// Returns a body without its idempotency key. The key is not part of the fingerprint, so that a
/// client may send it in the body the first time and in the header the second time.
fn without_key(body: &Value) -> Value {
    let mut parameters = body.clone();
    if let Value::Object(members) = &mut parameters {
        members.remove(KEY_MEMBER);
    }
    parameters
}

/// Reads the idempotency key of `POST /document/upload`. Only the header can contain it.
///
/// The path is part of the fingerprint. So the key of a job of the downloads API cannot be used for
/// an upload, even with the same body.
pub(crate) fn upload_idempotency_key(
    headers: &HeaderMap,
    body: &Value,
    owner: &str,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let parameters = canonical(body).to_string();
    let key = header_key(headers)?;
    Ok(key.map(|key| scoped_key(owner, key, &[b"document/upload", parameters.as_bytes()])))
}

/// Returns the key of a request for the content of a document. No client can send the same key,
/// because this key is made of three texts and the key of a client is made of two.
pub(crate) fn content_idempotency_key(owner: &str, document: &str) -> IdempotencyKey {
    let parts = [owner.as_bytes(), b"$content", document.as_bytes()];
    IdempotencyKey { key: hash(&parts), fingerprint: hash(&parts[1..]) }
}

/// Reads the header `Idempotency-Key`.
fn header_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("", "the header Idempotency-Key must be given once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    // The draft standard requires quotes around the key, but most clients send none.
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let rule = "the header Idempotency-Key must be 1 to 255 printable ASCII characters";
    Ok(Some(valid_key(unquoted).ok_or_else(|| invalid("", rule))?))
}

/// Combines the key of a client with its owner, so that equal keys of two callers differ. Adds the
/// fingerprint of the request's parameters.
fn scoped_key(owner: &str, client_key: &str, parameters: &[&[u8]]) -> IdempotencyKey {
    let key = hash(&[owner.as_bytes(), client_key.as_bytes()]);
    IdempotencyKey { key, fingerprint: hash(parameters) }
}

/// Returns the error for an invalid key. `pointer` names the member of the body, if any.
fn invalid(pointer: &str, detail: &str) -> ApiError {
    let (pointer, detail) = (pointer.to_owned(), detail.to_owned());
    ApiError::Invalid(vec![FieldError { pointer, detail }])
}

/// Returns the text if it is a valid key, which has 1 to 255 printable ASCII characters.
fn valid_key(text: &str) -> Option<&str> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    ((1..=MAX_KEY_LENGTH).contains(&text.len()) && is_printable).then_some(text)
}

/// Returns the hash of several texts with their lengths. So the texts `a` and `bc` have another
/// hash than `ab` and `c`.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the value with the members of all objects in alphabetical order. So the fingerprint does
/// not change if a client repeats a request with its members in another order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name.clone(), canonical(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Reads the idempotency key of a request with this header.
    fn key_of(
        header: Option<&str>,
        body: &Value,
        owner: &str,
    ) -> Result<Option<IdempotencyKey>, ()> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("idempotency-key", header.parse().unwrap());
        }
        idempotency_key(&headers, body, owner).map_err(drop)
    }

    #[test]
    fn idempotency_key_in_header_or_body_gives_the_same_fingerprint() {
        let body = json!({ "file_id": 1, "a": { "x": 1, "y": 2 } });
        let reordered_body_with_key =
            r#"{ "a": { "y": 2, "x": 1 }, "file_id": 1, "clientRequestId": "k 1" }"#;
        let body_with_key: Value = serde_json::from_str(reordered_body_with_key).unwrap();

        let by_header = key_of(Some("k 1"), &body, "o");

        assert_eq!(by_header, key_of(None, &body_with_key, "o"));
        assert_eq!(by_header, key_of(Some("\"k 1\""), &body_with_key, "o"));
    }

    #[test]
    fn request_without_an_idempotency_key_has_none() {
        assert_eq!(key_of(None, &json!({ "file_id": 1 }), "o"), Ok(None));
    }

    #[test]
    fn header_and_body_with_different_idempotency_keys_are_rejected() {
        assert!(key_of(Some("other"), &json!({ "clientRequestId": "k 1" }), "o").is_err());
    }

    #[test]
    fn invalid_idempotency_key_in_the_body_is_rejected() {
        for bad in [json!(""), json!("\u{1}"), json!("x".repeat(256)), json!(5)] {
            assert!(key_of(None, &json!({ "clientRequestId": bad }), "o").is_err(), "{bad}");
        }
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
        let key_of_owner = |owner: &str, key: &str| {
            key_of(Some(key), &json!({ "file_id": 1 }), owner).unwrap().unwrap()
        };
        assert_ne!(key_of_owner("a", "bc").key, key_of_owner("ab", "c").key);
        assert_ne!(key_of_owner("a", "k").key, key_of_owner("b", "k").key);
        assert_eq!(key_of_owner("a", "k").fingerprint, key_of_owner("b", "l").fingerprint);
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
        let job = key_of(Some("k"), &json!({ "objGuid": "AAAA" }), "o").unwrap().unwrap();

        assert_eq!(upload.key, job.key);
        assert_ne!(upload.fingerprint, job.fingerprint);
    }

    #[test]
    fn upload_key_in_the_body_is_ignored() {
        let body = json!({ "objGuid": "AAAA", "clientRequestId": "ignored" });
        assert_eq!(upload_idempotency_key(&HeaderMap::new(), &body, "o").unwrap(), None);
    }
}
