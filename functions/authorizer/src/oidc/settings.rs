//! Settings of the OpenID Connect issuer.

use std::net::IpAddr;

use url::{Host, Url};

/// Claims that contain an email address or a name. They are not allowed as the subject, because the
/// principal is written to records and logs.
const PERSONAL_CLAIMS: [&str; 6] =
    ["email", "name", "nickname", "preferred_username", "unique_name", "upn"];

/// Issuer whose tokens are accepted, and the claims that are read from them.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Issuer, exactly as in the claim `iss`.
    pub issuer: String,
    /// Audience that a token must have in the claim `aud`.
    pub audience: String,
    /// URL of the issuer's keys. If `None`, it is read from the issuer's discovery document.
    pub jwks_url: Option<String>,
    /// Claim with the caller's id.
    pub subject_claim: String,
    /// Claim with the scopes; a nested claim is a path with dots, such as `realm_access.roles`.
    pub scope_claim: String,
    /// Claim with the caller's user id in Microsoft Graph.
    pub graph_user_claim: String,
}

/// Invalid settings, or failure to create the HTTP client. No text repeats a value.
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

/// Parses a URL that is safe to fetch keys from: `https`, or a loopback address. An attacker who
/// can change the keys in transit could sign tokens.
pub(super) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_local = match url.host()? {
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
        // A name can resolve to any address.
        Host::Domain(_) => false,
    };
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (is_secure && is_plain).then_some(url)
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
        }
    }

    #[test]
    fn issuer_may_use_http_only_on_loopback_addresses() {
        for good in ["https://id.example/realms/x", "http://127.0.0.1:8103", "http://[::1]:1"] {
            assert!(settings(good).check().is_ok(), "{good}");
        }
        for bad in [
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
            assert!(matches!(settings(bad).check(), Err(SetupError::Url("OIDC_ISSUER"))), "{bad}");
            let keys =
                OidcSettings { jwks_url: Some(bad.to_owned()), ..settings("https://id.example") };
            assert!(matches!(keys.check(), Err(SetupError::Url("OIDC_JWKS_URL"))), "{bad}");
        }
    }

    #[test]
    fn audience_is_required_and_personal_subject_claims_are_rejected() {
        let settings = settings("https://id.example");
        let open = OidcSettings { audience: String::new(), ..settings.clone() };
        assert!(matches!(open.check(), Err(SetupError::Audience)));
        for claim in ["email", "Email", "upn", "preferred_username"] {
            let personal = OidcSettings { subject_claim: claim.to_owned(), ..settings.clone() };
            assert!(matches!(personal.check(), Err(SetupError::PersonalSubject)), "{claim}");
        }
    }
}
