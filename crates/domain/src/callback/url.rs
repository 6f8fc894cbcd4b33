//! URL of a webhook, and its validation.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::rule::CallbackRule;
use crate::text::is_unprintable;

/// Error for a URL that no webhook may use. The text names the broken rule and contains no
/// part of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCallback(&'static str);

/// URL of the webhook that is called at the end of a job. It is a secret of its owner, so
/// it is never displayed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackUrl(String);

impl CallbackUrl {
    /// Maximum length in characters.
    pub const MAX_LEN: usize = 2048;

    /// Parses the URL that a caller sent and normalises it. Unusual forms of an IPv4
    /// address (decimal, octal, hexadecimal, short) become the usual one.
    ///
    /// # Errors
    /// The error names the broken rule. A host name is not resolved here, but when the
    /// connection is made.
    pub fn parse(text: &str, rule: CallbackRule) -> Result<Self, InvalidCallback> {
        if text.chars().count() > Self::MAX_LEN {
            return Err(InvalidCallback("must be at most 2048 characters"));
        }
        // The URL parser would ignore these characters.
        if text.chars().any(|c| c.is_whitespace() || is_unprintable(c)) {
            return Err(InvalidCallback("must be an absolute https URL"));
        }
        let url = parse_allowed(text, rule)?;
        Ok(Self(url.into()))
    }

    /// Checks the stored URL again and returns it. The rule may have become stricter since
    /// the URL was stored.
    ///
    /// # Errors
    /// Same as [`CallbackUrl::parse`].
    pub fn open(&self, rule: CallbackRule) -> Result<Url, InvalidCallback> {
        parse_allowed(&self.0, rule)
    }
}

/// Parses a URL and checks that a webhook may use it.
fn parse_allowed(text: &str, rule: CallbackRule) -> Result<Url, InvalidCallback> {
    const NOT_HTTPS: InvalidCallback = InvalidCallback("must be an absolute https URL");
    let url = Url::parse(text).map_err(|_| NOT_HTTPS)?;
    let host = url.host().ok_or(NOT_HTTPS)?;
    let (is_allowed, is_loopback) = match host {
        Host::Ipv4(address) => (rule.allows(address.into()), address.is_loopback()),
        Host::Ipv6(address) => (rule.allows(address.into()), address.is_loopback()),
        Host::Domain(name) => {
            let is_loopback = is_loopback_name(name);
            (!is_loopback || rule == CallbackRule::PublicAndLoopback, is_loopback)
        }
    };
    let may_use_http = rule == CallbackRule::PublicAndLoopback && is_loopback;
    if url.scheme() != "https" && !(url.scheme() == "http" && may_use_http) {
        return Err(NOT_HTTPS);
    }
    if !is_allowed {
        return Err(InvalidCallback("must not point to a private or special address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidCallback("must not contain a user name or a password"));
    }
    if url.fragment().is_some() {
        return Err(InvalidCallback("must not have a fragment"));
    }
    Ok(url)
}

/// Returns whether a name always refers to the local machine (RFC 6761).
fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// Hides the URL, which may contain a secret.
impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error text for a URL that must be refused.
    fn refusal_of(text: &str) -> String {
        let result = CallbackUrl::parse(text, CallbackRule::Public);
        result.expect_err(text).to_string()
    }

    #[test]
    fn private_address_is_refused_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "0xA9FEA9FE",
            "2852039166",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[::127.0.0.1]",
            "[::ffff:0:127.0.0.1]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b:1::1]",
            "[100::1]",
            "[2001::1]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "localhost",
            "LOCALHOST.",
            "docferry.localhost",
        ] {
            let error = refusal_of(&format!("https://{host}/hook"));
            assert!(error.contains("special address"), "{host}: {error}");
        }
    }

    #[test]
    fn public_callback_addresses_and_names_are_allowed_without_resolution() {
        for url in [
            "https://hooks.example.org/docferry?key=1",
            "https://hooks.example.org:8443",
            "https://8.8.8.8/",
            "https://100.63.0.1/",
            "https://172.32.0.1/",
            "https://[2606:4700:4700::1111]/",
            "https://[2001:4860:4860::8888]/",
            "https://notlocalhost/",
        ] {
            let parsed = CallbackUrl::parse(url, CallbackRule::Public).expect(url);
            assert!(parsed.open(CallbackRule::Public).is_ok());
        }
    }

    #[test]
    fn callback_that_is_not_a_plain_https_url_is_refused_by_rule() {
        for (url, expected_text) in [
            ("", "absolute https"),
            ("hook", "absolute https"),
            ("http://hooks.example.org/", "absolute https"),
            ("ftp://hooks.example.org/", "absolute https"),
            ("https://", "absolute https"),
            ("data:text/plain,x", "absolute https"),
            ("https://hooks.example.org/\n", "absolute https"),
            ("https://hooks.example.org/\u{202e}", "absolute https"),
            ("https://hooks.example.org/\u{fffd}", "absolute https"),
            ("https://user@hooks.example.org/", "user"),
            ("https://:secret@hooks.example.org/", "user"),
            ("https://hooks.example.org/#top", "fragment"),
        ] {
            let error = refusal_of(url);
            assert!(error.contains(expected_text), "{url}: {error}");
        }
    }

    #[test]
    fn callback_url_of_more_than_2048_characters_is_refused() {
        let too_long = format!("https://hooks.example.org/{}", "x".repeat(2048));
        assert!(refusal_of(&too_long).contains("2048"));

        let longest = &too_long[..2048];
        assert!(CallbackUrl::parse(longest, CallbackRule::Public).is_ok());
    }

    #[test]
    fn local_system_allows_only_loopback_callbacks_without_tls() {
        let parse = |text| CallbackUrl::parse(text, CallbackRule::PublicAndLoopback);
        for url in ["http://127.0.0.1:8080/", "https://[::1]/", "http://localhost:1/"] {
            assert!(parse(url).is_ok(), "{url}");
            let parsed = parse(url).expect(url);
            assert!(parsed.open(CallbackRule::Public).is_err(), "{url}");
        }
        for url in ["http://10.0.0.1/", "https://169.254.169.254/", "http://hooks.example.org/"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn callback_url_is_hidden_from_debug_output() {
        let url = CallbackUrl::parse("https://hooks.example.org/secret", CallbackRule::Public);
        assert_eq!(format!("{url:?}"), "Ok(CallbackUrl(…))");
    }
}
