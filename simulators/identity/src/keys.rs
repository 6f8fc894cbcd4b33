//! Key pairs with which the OpenID Connect provider simulator signs tokens.

use std::str::FromStr;

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Signature algorithm of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with PKCS #1 padding and SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// Returns the name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            _ => Err("RS256 or ES256".to_owned()),
        }
    }
}

/// A key pair. Its id is the `kid` of the tokens that it signs.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    key_pair: AlgorithmKeyPair,
}

/// Key pair of one of the algorithms.
#[derive(Debug)]
enum AlgorithmKeyPair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, Unspecified> {
        let key_pair = match algorithm {
            Algorithm::Rs256 => AlgorithmKeyPair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
            Algorithm::Es256 => {
                AlgorithmKeyPair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
            }
        };
        Ok(Self { id: Uuid::new_v4().simple().to_string(), key_pair })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.key_pair {
            AlgorithmKeyPair::Rsa(_) => Algorithm::Rs256,
            AlgorithmKeyPair::Ec(_) => Algorithm::Es256,
        }
    }

    /// Returns the public key as bytes. Like an attacker, a test uses them as an HMAC secret to
    /// sign a token.
    pub(crate) fn public_bytes(&self) -> &[u8] {
        match &self.key_pair {
            AlgorithmKeyPair::Rsa(key_pair) => key_pair.public_key().as_ref(),
            AlgorithmKeyPair::Ec(key_pair) => key_pair.public_key().as_ref(),
        }
    }

    /// Returns the signature of a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.key_pair {
            AlgorithmKeyPair::Rsa(key_pair) => {
                let mut signature = vec![0; key_pair.public_modulus_len()];
                key_pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            AlgorithmKeyPair::Ec(key_pair) => {
                Ok(key_pair.sign(&random, message)?.as_ref().to_vec())
            }
        }
    }

    /// Returns the key as a JSON Web Key.
    pub(crate) fn jwk(&self) -> Value {
        let name = self.algorithm().name();
        match &self.key_pair {
            AlgorithmKeyPair::Rsa(key_pair) => {
                let public = key_pair.public_key();
                json!({
                    "kty": "RSA", "use": "sig", "alg": name, "kid": self.id,
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            AlgorithmKeyPair::Ec(key_pair) => {
                // The encoding is 0x04, followed by two coordinates of 32 bytes each.
                let point = key_pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({
                    "kty": "EC", "use": "sig", "alg": name, "kid": self.id,
                    "crv": "P-256", "x": encode(x), "y": encode(y),
                })
            }
        }
    }
}

/// Encodes bytes in unpadded base64url, the encoding of all parts of a token.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
