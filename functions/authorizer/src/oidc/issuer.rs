use docferry_contract::scope::Scopes;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use secrecy::{ExposeSecret as _, SecretString};

use super::cache::KeyCache;
use super::claims::{self, Claims};
use super::fetch::{FetchError, HttpKeys, KeySource};
use super::settings::{OidcSettings, SetupError};

/// How far our clock and the issuer's may be apart.
const LEEWAY_SECONDS: u64 = 60;

/// Who a token says is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The subject, as the issuer knows it.
    pub subject: String,
    /// What the caller may do.
    pub scopes: Scopes,
    /// The caller's id as a user of Microsoft Graph, if the token tells it.
    pub graph_user: Option<String>,
}

/// Why a token is none that we let in. For the log, where a token may never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is no JSON web token, or of a kind that we do not know.
    #[error("not a token that can be read")]
    Malformed,
    /// The issuer has no such key, or the token does not say which.
    #[error("signed with a key that the issuer does not have")]
    UnknownKey,
    /// The key is for another algorithm than the token says.
    #[error("signed by an algorithm that is not the key's")]
    Algorithm,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("not valid yet")]
    NotYet,
    /// Somebody else issued it.
    #[error("of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("made for another audience")]
    Audience,
    /// A claim that is needed is missing or has another form.
    #[error("a claim is missing or malformed")]
    Claims,
    /// It does not say who is asking in a way that can be a principal.
    #[error("the subject is missing, too long, not printable or an address")]
    Subject,
}

/// A token that does not let its bearer in.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not good, and will not be.
    #[error("the token was refused: {0}")]
    Rejected(Rejection),
    /// Nobody can tell now.
    #[error("the issuer's keys could not be had")]
    Unavailable(#[from] FetchError),
}

/// The issuer whose tokens are accepted.
#[derive(Debug)]
pub struct Issuer<S> {
    settings: OidcSettings,
    keys: KeyCache<S>,
}

impl Issuer<HttpKeys> {
    /// The issuer of these settings, or none when they name none: then no token is
    /// let in. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`SetupError`] when the settings make no sense.
    pub fn of(settings: OidcSettings) -> Result<Option<Self>, SetupError> {
        if settings.issuer.is_empty() {
            return Ok(None);
        }
        let keys = KeyCache::new(HttpKeys::new(&settings)?);
        Ok(Some(Self { settings, keys }))
    }
}

impl<S: KeySource> Issuer<S> {
    /// Who bears this token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &SecretString) -> Result<Caller, TokenError> {
        let token = token.expose_secret();
        let header = decode_header(token).map_err(|_| Rejection::Malformed)?;
        // An extension that must be understood, and that we do not know.
        if header.crit.is_some() {
            return Err(Rejection::Malformed.into());
        }
        let id = header.kid.ok_or(Rejection::UnknownKey)?;
        let key = self.keys.key(&id).await?.ok_or(Rejection::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(Rejection::Algorithm.into());
        }
        let mut rules = Validation::new(key.algorithm);
        rules.leeway = LEEWAY_SECONDS;
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.set_issuer(&[&self.settings.issuer]);
        rules.set_audience(&[&self.settings.audience]);
        let claims = decode::<Claims>(token, &key.decoding, &rules).map_err(rejection)?.claims;
        // The library takes a list of issuers as well; the standard knows none.
        if claims.get("iss").and_then(|iss| iss.as_str()) != Some(&self.settings.issuer) {
            return Err(Rejection::Issuer.into());
        }
        let subject = claims::subject(&claims, &self.settings.subject_claim);
        let subject = subject.ok_or(Rejection::Subject)?.to_owned();
        Ok(Caller {
            subject,
            scopes: claims::scopes(&claims, &self.settings.scope_claim),
            graph_user: claims::graph_user(&claims, &self.settings.graph_user_claim),
        })
    }
}

impl From<Rejection> for TokenError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// The library's texts may quote the token.
#[expect(clippy::needless_pass_by_value, reason = "used as a function that maps errors")]
fn rejection(error: jsonwebtoken::errors::Error) -> Rejection {
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
