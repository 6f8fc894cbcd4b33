use std::net::IpAddr;

use url::{Host, Url};

/// Claims that hold an address or a name. A principal stands in records and logs,
/// where neither may be.
const PERSONAL: [&str; 6] =
    ["email", "name", "nickname", "preferred_username", "unique_name", "upn"];

/// Whose tokens are accepted, and what is read from them.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer, exactly as it stands in `iss`.
    pub issuer: String,
    /// Who a token must be made for.
    pub audience: String,
    /// Where the issuer's keys are; otherwise its discovery document says it.
    pub jwks_url: Option<String>,
    /// The claim that says who is asking.
    pub subject_claim: String,
    /// The claim, or the path of claims with dots between, that holds the scopes.
    pub scope_claim: String,
    /// The claim that says which user of Microsoft Graph that is.
    pub graph_user_claim: String,
}

/// Settings with which no client can be made. No text repeats a value.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A URL that is none, or that leads over the net in the clear.
    #[error("{0} must be an https URL without query (http on a loopback address only)")]
    Url(&'static str),
    /// Without an audience, tokens that were made for anybody would be let in.
    #[error("OIDC_AUDIENCE is not set")]
    Audience,
    /// The principal would be an address or a name.
    #[error("OIDC_SUBJECT_CLAIM must not be a claim that holds an address or a name")]
    PersonalSubject,
    /// The TLS stack does not start.
    #[error("no HTTP client could be made")]
    Client(#[source] reqwest::Error),
}

impl OidcSettings {
    /// What is wrong with them, if anything.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        secure_url(&self.issuer).ok_or(SetupError::Url("OIDC_ISSUER"))?;
        if let Some(url) = &self.jwks_url {
            secure_url(url).ok_or(SetupError::Url("OIDC_JWKS_URL"))?;
        }
        if self.audience.is_empty() {
            return Err(SetupError::Audience);
        }
        if PERSONAL.contains(&self.subject_claim.to_ascii_lowercase().as_str()) {
            return Err(SetupError::PersonalSubject);
        }
        Ok(())
    }
}

/// Whoever can change keys on their way can sign tokens: https, or this machine.
pub(super) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_local = match url.host()? {
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
        // A name may be resolved to anything.
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
pub(super) mod tests {
    use super::*;

    pub(in crate::oidc) fn settings(issuer: &str) -> OidcSettings {
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
    fn http_is_for_loopback_addresses_only() {
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
    fn an_audience_is_needed_and_the_subject_is_never_an_address() {
        let settings = settings("https://id.example");
        let open = OidcSettings { audience: String::new(), ..settings.clone() };
        assert!(matches!(open.check(), Err(SetupError::Audience)));
        for claim in ["email", "Email", "upn", "preferred_username"] {
            let personal = OidcSettings { subject_claim: claim.to_owned(), ..settings.clone() };
            assert!(matches!(personal.check(), Err(SetupError::PersonalSubject)), "{claim}");
        }
    }
}
