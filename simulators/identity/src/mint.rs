//! Creation ("minting") of the tokens that the OpenID Connect provider simulator issues: their
//! claims and their signatures.
//!
//! A token is a JSON Web Token. It consists of a header, claims and a signature, each in base64url,
//! separated by dots. The signature covers the header and the claims.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{
    account::{Rights, User},
    keys::{Key, encode},
    refusal::Refusal,
    world::World,
};

/// Claims of a token by their names.
pub(crate) type Claims = Map<String, Value>;

/// Returns the claims that every token has. `expires_in` is the number of seconds until the token
/// expires. It is negative for a token that has expired.
pub(crate) fn common_claims(
    world: &World,
    subject: &str,
    audience: &str,
    expires_in: i64,
) -> Claims {
    let now = sim_kit::now().as_second();
    let claims = json!({
        "iss": world.issuer(),
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now.saturating_add(expires_in),
        "jti": uuid::Uuid::new_v4().to_string(),
    });
    match claims {
        Value::Object(claims) => claims,
        _ => Claims::new(),
    }
}

/// Adds the claims about rights, which only access tokens have.
pub(crate) fn add_rights(claims: &mut Claims, rights: &Rights, scope: &str) {
    claims.insert("scope".to_owned(), scope.into());
    if let Some(roles) = &rights.client_roles {
        claims.insert("client_roles".to_owned(), json!(roles));
    }
    if let Some(roles) = &rights.roles {
        claims.insert("roles".to_owned(), json!(roles));
    }
    if let Some(oid) = &rights.oid {
        claims.insert("oid".to_owned(), oid.as_str().into());
    }
}

/// Adds the claims about a person.
pub(crate) fn add_person(claims: &mut Claims, user: &User) {
    claims.insert("preferred_username".to_owned(), user.login.as_str().into());
    if let Some(email) = &user.email {
        claims.insert("email".to_owned(), email.as_str().into());
    }
}

/// Signs a token with the provider's key for the configured algorithm.
pub(crate) fn sign(world: &World, claims: &Claims) -> Result<String, Refusal> {
    let key = world.key(world.config.algorithm).ok_or_else(signing_failed)?;
    let header = json!({ "typ": "JWT", "alg": key.algorithm().name(), "kid": key.id });
    append_signature(&unsigned_token(&header, claims), &key)
}

/// Returns a token without its signature: the encoded header and claims.
pub(crate) fn unsigned_token(header: &Value, claims: &Claims) -> String {
    let claims = Value::Object(claims.clone());
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

/// Signs a token with a key and appends the signature.
pub(crate) fn append_signature(unsigned: &str, key: &Key) -> Result<String, Refusal> {
    let signature = key.sign(unsigned.as_bytes()).map_err(|_| signing_failed())?;
    Ok(format!("{unsigned}.{}", encode(signature)))
}

/// Returns the token with one bit of its signature inverted.
pub(crate) fn with_flipped_bit(token: &str) -> String {
    let Some((unsigned, signature)) = token.rsplit_once('.') else { return token.to_owned() };
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    format!("{unsigned}.{}", encode(bytes))
}

/// Returns the error for a failure to sign.
pub(crate) fn signing_failed() -> Refusal {
    Refusal {
        status: http::StatusCode::INTERNAL_SERVER_ERROR,
        code: "server_error",
        description: "the token could not be signed",
    }
}
