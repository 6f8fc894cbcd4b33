//! Signing keys of the issuer (JWKS).

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Key of the issuer and the only algorithm that it may be used with.
///
/// The algorithm comes from the key and never from the token. Otherwise a forged token could make
/// the verifier use a public key as the secret of an HMAC.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// Signing keys of an issuer by key id.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, Key>);

/// Format of a JWKS document.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Maximum number of keys. No issuer has that many.
    const MAX_KEYS: usize = 100;

    /// Parses a JWKS document; `None` if it is invalid. Keys that are not for signing with RS256 or
    /// ES256, or have no id, are skipped.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let usable = document.keys.into_iter().filter_map(usable);
        Some(Self(usable.take(Self::MAX_KEYS).collect()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Converts a key if it can verify RS256 or ES256 signatures.
fn usable(key: Value) -> Option<(String, Key)> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let (algorithm, key_algorithm) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let common = &key.common;
    let is_for_signing = common.key_algorithm.is_none_or(|declared| declared == key_algorithm)
        && common
            .public_key_use
            .as_ref()
            .is_none_or(|declared| *declared == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|declared| declared.contains(&KeyOperations::Verify));
    let id = common.key_id.clone().filter(|_| is_for_signing)?;
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some((id, Key { algorithm, decoding }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_rs256_and_es256_signing_keys_are_kept() {
        let rsa = |more: Value| {
            let mut key = json!({ "kty": "RSA", "kid": "k", "n": "3q2-7w", "e": "AQAB" });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        let ec =
            |curve: &str| json!({ "kty": "EC", "kid": "k", "crv": curve, "x": "AA", "y": "AA" });
        let kept = |key: Value| {
            let set = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
            set.get("k").map(|key| key.algorithm)
        };
        for good in [json!({}), json!({ "alg": "RS256", "use": "sig", "key_ops": ["verify"] })] {
            assert_eq!(kept(rsa(good)), Some(Algorithm::RS256));
        }
        assert_eq!(kept(ec("P-256")), Some(Algorithm::ES256));
        for bad in [
            rsa(json!({ "alg": "RS512" })),
            rsa(json!({ "alg": "HS256" })),
            rsa(json!({ "alg": "RSA-OAEP" })),
            rsa(json!({ "use": "enc" })),
            rsa(json!({ "key_ops": ["sign"] })),
            rsa(json!({ "kid": null })),
            rsa(json!({ "n": "not base64!" })),
            ec("P-384"),
            json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
            json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "AA" }),
            json!("no key"),
        ] {
            assert_eq!(kept(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn invalid_key_document_differs_from_an_empty_one() {
        assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
        for bad in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#] {
            assert!(KeySet::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
