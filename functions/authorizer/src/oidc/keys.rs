//! Public keys with which tokens of the OpenID Connect issuer are verified, parsed from the
//! issuer's JWKS document (JSON Web Key Set, RFC 7517).

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Key of the issuer, and the only algorithm with which the key may be used.
///
/// The algorithm comes from the key and never from the token. Otherwise, an attacker could choose
/// HMAC and sign a token with the public key as the secret.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    /// The key in the form in which `jsonwebtoken` verifies signatures.
    pub(super) decoding: DecodingKey,
}

/// Signing keys of an issuer by key id.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, Key>);

/// Format of a JWKS document. Each key is parsed separately, so that a key of an unknown kind does
/// not make the whole document invalid.
#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<Value>,
}

impl KeySet {
    /// Maximum number of keys that are used. Real issuers have fewer keys.
    const MAX_KEYS: usize = 100;

    /// Parses a JWKS document. Returns `None` if the document is invalid. Skips keys that have no
    /// id or that are not for signing with RS256 or ES256.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let document: JwksDocument = serde_json::from_slice(bytes).ok()?;
        let keys = document.keys.into_iter().filter_map(usable_key);
        Some(Self(keys.take(Self::MAX_KEYS).collect()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the id of a key and the key itself. Returns `None` if the key has no id, or is not for
/// RS256 or ES256 signatures.
fn usable_key(key: Value) -> Option<(String, Key)> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let (algorithm, key_algorithm) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    // The members `alg`, `use` and `key_ops` are optional. Those that are present must fit.
    let common = &key.common;
    let (key_use, operations) = (common.public_key_use.as_ref(), common.key_operations.as_ref());
    let is_for_signing = common.key_algorithm.is_none_or(|declared| declared == key_algorithm)
        && key_use.is_none_or(|key_use| *key_use == PublicKeyUse::Signature)
        && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !is_for_signing {
        return None;
    }
    let id = common.key_id.clone()?;
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some((id, Key { algorithm, decoding }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_rs256_and_es256_signing_keys_are_kept() {
        let rsa_key = |members: Value| {
            let mut key = json!({ "kty": "RSA", "kid": "k", "n": "3q2-7w", "e": "AQAB" });
            key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            key
        };
        let ec_key =
            |curve: &str| json!({ "kty": "EC", "kid": "k", "crv": curve, "x": "AA", "y": "AA" });
        let algorithm_of_parsed = |key: Value| {
            let set = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
            set.get("k").map(|key| key.algorithm)
        };
        for usable in [json!({}), json!({ "alg": "RS256", "use": "sig", "key_ops": ["verify"] })] {
            assert_eq!(algorithm_of_parsed(rsa_key(usable)), Some(Algorithm::RS256));
        }
        assert_eq!(algorithm_of_parsed(ec_key("P-256")), Some(Algorithm::ES256));
        for unusable in [
            rsa_key(json!({ "alg": "RS512" })),
            rsa_key(json!({ "alg": "HS256" })),
            rsa_key(json!({ "alg": "RSA-OAEP" })),
            rsa_key(json!({ "use": "enc" })),
            rsa_key(json!({ "key_ops": ["sign"] })),
            rsa_key(json!({ "kid": null })),
            rsa_key(json!({ "n": "not base64!" })),
            ec_key("P-384"),
            json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
            json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "AA" }),
            json!("no key"),
        ] {
            assert_eq!(algorithm_of_parsed(unusable.clone()), None, "{unusable}");
        }
    }

    #[test]
    fn invalid_key_document_differs_from_an_empty_one() {
        assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
        for invalid in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#] {
            assert!(KeySet::parse(invalid.as_bytes()).is_none(), "{invalid}");
        }
    }
}
