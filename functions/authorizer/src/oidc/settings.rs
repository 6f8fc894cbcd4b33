//! Settings of the OpenID Connect issuer whose tokens are accepted, and their validation. `main.rs`
//! reads them from environment variables such as `OIDC_ISSUER`.

use std::net::IpAddr;

use docferry_domain::document::SubjectPatterns;
use url::{Host, Url};

/// Claims that contain an email address or a name. They are not allowed as the subject claim,
/// because the caller's id is written to records and logs.
const PERSONAL_CLAIMS: [&str; 6] =
    ["email", "name", "nickname", "preferred_username", "unique_name", "upn"];

/// The issuer whose tokens are accepted, and the claims that are read from the tokens.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Issuer, exactly as in the claim `iss`.
    pub issuer: String,
    /// Audience that a token must have in the claim `aud`.
    pub audience: String,
    /// URL of the issuer's keys. If it is `None`, the URL in the issuer's discovery document is
    /// used.
    pub jwks_url: Option<String>,
    /// Claim with the caller's id.
    pub subject_claim: String,
    /// Claim with the scopes. The name of a nested claim is a path with dots, such as
    /// `realm_access.roles`.
    pub scope_claim: String,
    /// Claim with the caller's user id in Microsoft Graph.
    pub graph_user_claim: String,
    /// Claim with the subjects (court files or patients) whose documents the caller may see. They
    /// are not related to the subject of the token, which is the caller.
    pub subjects_claim: String,
    /// Claim with the entitlement groups whose documents the caller may see.
    pub groups_claim: String,
    /// Systems of court file numbers and patient numbers, with the pattern of their values. The
    /// values of `subjects_claim` are read with them.
    pub subjects: SubjectPatterns,
}

/// Invalid settings, or failure to create the HTTP client. The error texts do not contain the
/// values of settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A URL is invalid, or uses `http` for an address that is not a loopback address.
    #[error("{0} must be an https URL without query (http on a loopback address only)")]
    Url(&'static str),
    /// The audience is missing. Without it, tokens for any other service would be accepted.
    #[error("OIDC_AUDIENCE is not set")]
    Audience,
    /// The subject claim contains an email address or a name.
    #[error("OIDC_SUBJECT_CLAIM must not be a claim that contains an email address or a name")]
    PersonalSubject,
    /// The TLS stack failed to start.
    #[error("the HTTP client could not be created")]
    Client(#[source] reqwest::Error),
}

impl OidcSettings {
    /// Validates the settings.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        secure_url(&self.issuer).ok_or(SetupError::Url("OIDC_ISSUER"))?;
        if let Some(url) = &self.jwks_url {
            secure_url(url).ok_or(SetupError::Url("OIDC_JWKS_URL"))?;
        }
        if self.audience.is_empty() {
            return Err(SetupError::Audience);
        }
        if PERSONAL_CLAIMS.contains(&self.subject_claim.to_ascii_lowercase().as_str()) {
            return Err(SetupError::PersonalSubject);
        }
        Ok(())
    }
}

/// Parses a URL and returns it if keys can be fetched from it safely: with `https`, or from a
/// loopback address. On other connections an attacker could replace the keys, and then sign tokens
/// that we accept.
pub(super) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
        // A name, including `localhost`, can resolve to any address.
        Host::Domain(_) => false,
    };
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    let has_only_host_and_path = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (is_secure && has_only_host_and_path).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str) -> OidcSettings {
        OidcSettings {
            issuer: issuer.to_owned(),
            audience: "docferry".to_owned(),
            jwks_url: None,
            subject_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            graph_user_claim: "oid".to_owned(),
            subjects_claim: "docferry_subjects".to_owned(),
            groups_claim: "groups".to_owned(),
            subjects: SubjectPatterns::default(),
        }
    }

    #[test]
    fn issuer_may_use_http_only_on_loopback_addresses() {
        for valid in ["https://id.example/realms/x", "http://127.0.0.1:8103", "http://[::1]:1"] {
            assert!(settings(valid).check().is_ok(), "{valid}");
        }
        for invalid in [
            "",
            "id.example",
            "ftp://id.example",
            "http://id.example",
            "http://localhost:1",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "https://id.example/?x=y",
            "https://id.example/#x",
            "https://user@id.example",
        ] {
            let result = settings(invalid).check();
            assert!(matches!(result, Err(SetupError::Url("OIDC_ISSUER"))), "{invalid}");

            let mut with_invalid_jwks_url = settings("https://id.example");
            with_invalid_jwks_url.jwks_url = Some(invalid.to_owned());
            let result = with_invalid_jwks_url.check();
            assert!(matches!(result, Err(SetupError::Url("OIDC_JWKS_URL"))), "{invalid}");
        }
    }

    #[test]
    fn audience_is_required_and_personal_subject_claims_are_rejected() {
        let settings = settings("https://id.example");
        let without_audience = OidcSettings { audience: String::new(), ..settings.clone() };
        assert!(matches!(without_audience.check(), Err(SetupError::Audience)));
        for claim in ["email", "Email", "upn", "preferred_username"] {
            let personal = OidcSettings { subject_claim: claim.to_owned(), ..settings.clone() };
            assert!(matches!(personal.check(), Err(SetupError::PersonalSubject)), "{claim}");
        }
    }
}
