//! Circumstances of a request for the audit trail: the address and program of the caller, and the
//! end user for whom a service made the request.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::document::Subject;
use crate::text::{is_printable, is_unprintable};

/// Name of the end user on whose behalf a service makes a request. The service chooses the name.
/// `Debug` hides the name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndUser(String);

/// Error for a text that is no name of an end user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 256 printable characters")]
pub struct InvalidEndUser;

impl EndUser {
    /// Maximum length of a name, in characters.
    pub const MAX_CHARS: usize = 256;

    /// Returns the name, for the audit trail only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndUser {
    type Err = InvalidEndUser;

    /// Parses a name. White space around it is removed.
    fn from_str(text: &str) -> Result<Self, InvalidEndUser> {
        let name = text.trim();
        let has_valid_length = (1..=Self::MAX_CHARS).contains(&name.chars().count());
        if has_valid_length && is_printable(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidEndUser)
        }
    }
}

impl fmt::Debug for EndUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndUser(…)")
    }
}

/// Address, program and ids of a request. `Debug` shows the request id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSource {
    /// Address from which API Gateway received the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Header `User-Agent`, shortened to [`RequestSource::MAX_USER_AGENT_CHARS`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Id of the request, as in logs and in the header `X-Request-ID`. A client can choose this id,
    /// so two requests may have the same id.
    pub request_id: String,
    /// Id that API Gateway gave to the request, as in its access log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_request_id: Option<String>,
}

impl RequestSource {
    /// Maximum length of the user agent, in characters.
    pub const MAX_USER_AGENT_CHARS: usize = 256;

    /// Creates a source. Characters of the user agent that cannot be displayed become `?`.
    #[must_use]
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>, request_id: String) -> Self {
        let displayable = |c| if is_unprintable(c) { '?' } else { c };
        let shorten = |text: &str| {
            text.chars().take(Self::MAX_USER_AGENT_CHARS).map(displayable).collect::<String>()
        };
        Self { ip, user_agent: user_agent.map(shorten), request_id, gateway_request_id: None }
    }
}

impl fmt::Debug for RequestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestSource({})", self.request_id)
    }
}

/// Circumstances of a request, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOrigin {
    /// End user whom the calling service has named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<EndUser>,
    /// Address, program and ids of the request.
    pub source: RequestSource,
}

/// Facts about a transfer that only the audit trail needs. docferry records them when it accepts
/// the request. Records of older versions do not contain them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditContext {
    /// Circumstances of the request that created the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RequestOrigin>,
    /// Subject of the document, if the document is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

impl AuditContext {
    /// Returns whether there is neither an origin nor a subject.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_user_is_a_short_printable_name() {
        assert_eq!(" Ada Lovelace ".parse::<EndUser>().unwrap().as_str(), "Ada Lovelace");
        assert_eq!("é".repeat(256).parse::<EndUser>().unwrap().as_str().chars().count(), 256);
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(257)] {
            assert_eq!(bad.parse::<EndUser>(), Err(InvalidEndUser), "{bad:?}");
        }
    }

    #[test]
    fn user_agent_is_shortened_and_displayable() {
        let header = format!("a\u{7}b{}", "x".repeat(300));
        let source = RequestSource::new(None, Some(&header), "request-1".into());
        let user_agent = source.user_agent.unwrap();
        assert!(user_agent.starts_with("a?bx"), "{user_agent}");
        assert_eq!(user_agent.chars().count(), RequestSource::MAX_USER_AGENT_CHARS);
    }

    #[test]
    fn debug_output_hides_people_and_addresses() {
        let origin = RequestOrigin {
            on_behalf_of: Some("Ada".parse().unwrap()),
            source: RequestSource::new(
                "192.0.2.7".parse().ok(),
                Some("browser"),
                "request-1".to_owned(),
            ),
        };
        let shown = format!("{origin:?}");
        assert!(shown.contains("request-1"), "{shown}");
        for hidden in ["Ada", "192.0.2.7", "browser"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
