//! Verification of bearer tokens: JSON Web Tokens that the configured OpenID Connect issuer has
//! signed. A verified token identifies the caller of the API, its scopes, and the documents that it
//! may see. The decision of the authorizer calls [`Issuer::verify`] for each bearer token.

use std::collections::BTreeSet;

use docferry_contract::scope::Scopes;
use docferry_domain::document::Coverage;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use secrecy::{ExposeSecret as _, SecretString};

use super::cache::KeyCache;
use super::claims::{self, Claims};
use super::coverage;
use super::fetch::{FetchError, HttpKeys, KeySource};
use super::settings::{OidcSettings, SetupError};

/// Tolerated difference between our clock and the issuer's.
const LEEWAY_SECONDS: u64 = 60;

/// Caller that a verified token identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Value of the subject claim.
    pub subject: String,
    /// Scopes granted to the caller.
    pub scopes: Scopes,
    /// The caller's user id in Microsoft Graph, if the token has the claim.
    pub graph_user: Option<String>,
    /// Subjects and groups whose documents the caller may see, according to the token.
    pub documents: BTreeSet<Coverage>,
}

/// Reason for which a token is rejected. The reason is logged, so it contains no part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The token is not a JSON Web Token, or it uses features that are not supported.
    #[error("malformed or unsupported token")]
    Malformed,
    /// The issuer has no key with the token's key id, or the token has no key id.
    #[error("signed with an unknown key")]
    UnknownKey,
    /// The algorithm in the token's header differs from the algorithm of the key.
    #[error("signed with an algorithm that does not match the key")]
    Algorithm,
    /// The signature does not match the key.
    #[error("the signature is wrong")]
    Signature,
    /// The token has expired (`exp`).
    #[error("expired")]
    Expired,
    /// The token is not valid yet (`nbf`).
    #[error("not valid yet")]
    NotYet,
    /// The token was issued by another issuer (`iss`).
    #[error("issued by another issuer")]
    Issuer,
    /// The token is for another audience (`aud`).
    #[error("issued for another audience")]
    Audience,
    /// A required claim is missing or has the wrong type.
    #[error("a claim is missing or malformed")]
    Claims,
    /// The subject is not allowed as a principal.
    #[error("the subject is missing, too long, not printable or an email address")]
    Subject,
}

/// Failure to verify a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token is invalid.
    #[error("the token was rejected: {0}")]
    Rejected(Rejection),
    /// The token cannot be verified now, because the keys are not available.
    #[error("the issuer's keys could not be fetched")]
    Unavailable(#[from] FetchError),
}

/// The configured issuer: its settings and keys, with which its tokens are verified.
#[derive(Debug)]
pub struct Issuer<S> {
    settings: OidcSettings,
    keys: KeyCache<S>,
}

impl Issuer<HttpKeys> {
    /// Creates the issuer without fetching its keys. Returns `None` if the settings name no issuer.
    /// In this case no tokens are accepted.
    ///
    /// # Errors
    /// [`SetupError`] if the settings are invalid.
    pub fn of(settings: OidcSettings) -> Result<Option<Self>, SetupError> {
        if settings.issuer.is_empty() {
            return Ok(None);
        }
        let keys = KeyCache::new(HttpKeys::new(&settings)?);
        Ok(Some(Self { settings, keys }))
    }
}

impl<S: KeySource> Issuer<S> {
    /// Verifies a token and returns the caller that it identifies.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &SecretString) -> Result<Caller, TokenError> {
        let token = token.expose_secret();
        let header = decode_header(token).map_err(|_| Rejection::Malformed)?;
        // `crit` lists extensions that a verifier must support. This one supports no extension.
        if header.crit.is_some() {
            return Err(Rejection::Malformed.into());
        }
        let key_id = header.kid.ok_or(Rejection::UnknownKey)?;
        let key = self.keys.key(&key_id).await?.ok_or(Rejection::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(Rejection::Algorithm.into());
        }
        let mut rules = Validation::new(key.algorithm);
        rules.leeway = LEEWAY_SECONDS;
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.set_issuer(&[&self.settings.issuer]);
        rules.set_audience(&[&self.settings.audience]);
        let claims = decode::<Claims>(token, &key.decoding, &rules).map_err(to_rejection)?.claims;
        // `jsonwebtoken` also accepts a list in `iss`, but the standard allows only a string.
        if claims.get("iss").and_then(|iss| iss.as_str()) != Some(&self.settings.issuer) {
            return Err(Rejection::Issuer.into());
        }
        let subject = claims::subject(&claims, &self.settings.subject_claim);
        let subject = subject.ok_or(Rejection::Subject)?.to_owned();
        Ok(Caller {
            subject,
            scopes: claims::scopes(&claims, &self.settings.scope_claim),
            graph_user: claims::graph_user(&claims, &self.settings.graph_user_claim),
            documents: coverage::documents(&claims, &self.settings),
        })
    }
}

impl From<Rejection> for TokenError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Converts an error of `jsonwebtoken` into a [`Rejection`]. The text of the error is dropped,
/// because it may quote the token.
#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err` as a function")]
fn to_rejection(error: jsonwebtoken::errors::Error) -> Rejection {
    match error.kind() {
        ErrorKind::InvalidSignature => Rejection::Signature,
        ErrorKind::InvalidAlgorithm => Rejection::Algorithm,
        ErrorKind::ExpiredSignature => Rejection::Expired,
        ErrorKind::ImmatureSignature => Rejection::NotYet,
        ErrorKind::InvalidIssuer => Rejection::Issuer,
        ErrorKind::InvalidAudience => Rejection::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Rejection::Claims,
        _ => Rejection::Malformed,
    }
}
