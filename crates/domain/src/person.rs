//! The two types for people: [`Recipient`] is the e-mail address to which a document is delivered.
//! [`Person`] is the person or service whose transfers are counted, in order to limit their number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::is_printable;

/// Error for a text that cannot be an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecipient(&'static str);

impl InvalidRecipient {
    /// Error for a text without the form of an address.
    const NOT_AN_ADDRESS: Self = Self("must be an e-mail address such as name@example.org");
}

/// Maximum length of an address, in bytes. RFC 5321 (4.5.3.1.3) allows 256 bytes for a path, which
/// consists of the address and two angle brackets.
const MAX_ADDRESS_LEN: usize = 254;
/// Maximum length of the part before the at sign, in bytes (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART_LEN: usize = 64;
/// Prefix of the stored form of a service. The prefix contains a space. The stored form of a person
/// contains no space, so a person cannot be confused with a service.
const SERVICE_PREFIX: &str = "service ";

/// E-mail address of the recipient, a Microsoft 365 user.
///
/// `FromStr` parses the address of a request, and `TryFrom` reads a stored address. Both refuse
/// only texts that can never be an address. Microsoft Graph decides later whether the user exists.
/// `Debug` hides the address, because addresses of people must not be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl Recipient {
    /// Returns the address, for requests to Graph only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(…)")
    }
}

/// Parses the address of a request by all present rules.
impl FromStr for Recipient {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let recipient = Self::try_from(text.to_owned())?;
        // In an address with two at signs, systems disagree about where the domain begins.
        if text.bytes().filter(|byte| *byte == b'@').count() != 1 {
            return Err(InvalidRecipient::NOT_AN_ADDRESS);
        }
        if !is_printable(text) {
            return Err(InvalidRecipient("must be an e-mail address without invisible characters"));
        }
        Ok(recipient)
    }
}

/// Reads a stored address by the less strict rules under which older versions accepted it.
impl TryFrom<String> for Recipient {
    type Error = InvalidRecipient;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Err(InvalidRecipient("must not be empty"));
        }
        if text.len() > MAX_ADDRESS_LEN {
            return Err(InvalidRecipient("must be at most 254 characters"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\?<>\"".contains(c)) {
            return Err(InvalidRecipient("must be an e-mail address without spaces or slashes"));
        }
        match text.rsplit_once('@') {
            Some((local, domain))
                if !local.is_empty() && local.len() <= MAX_LOCAL_PART_LEN && !domain.is_empty() =>
            {
                Ok(Self(text))
            }
            _ => Err(InvalidRecipient::NOT_AN_ADDRESS),
        }
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

/// Person, or service that makes requests for itself. Each of them may hold only a limited number
/// of slots (rights to move bytes) at the same time. `Debug` hides the value, because it may be an
/// e-mail address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(String);

impl Person {
    /// Creates a person or service from the stored form.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Creates a service. The slot limit of a service differs from the slot limit of a person.
    #[must_use]
    pub fn service(id: &str) -> Self {
        Self(format!("{SERVICE_PREFIX}{id}"))
    }

    /// Returns whether this is a service, created by [`Person::service`].
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.0.starts_with(SERVICE_PREFIX)
    }

    /// Returns the stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Recipient> for Person {
    /// Converts the address to lower case, because addresses that differ only in case belong to the
    /// same person.
    fn from(recipient: &Recipient) -> Self {
        Self(recipient.as_str().to_lowercase())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_hash_and_plus_are_accepted_and_hidden_from_debug() {
        let address: Recipient = "ada+x#EXT#@court.example".parse().unwrap();
        assert_eq!(format!("{address:?}"), "Recipient(…)");
    }

    #[test]
    fn text_that_is_not_an_email_address_is_refused() {
        for invalid in ["", "ada", "@x", "ada@", "a b@c", "a@b/../c", "a@b\n"] {
            assert!(invalid.parse::<Recipient>().is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn address_with_two_at_signs_or_invisible_characters_is_refused() {
        for invalid in [
            "ada@court.example@evil.example",
            "@ada@court.example",
            "ada@@court.example",
            "ada\u{202e}@court.example",
            "ada@court\u{200b}.example",
            "ad\u{fffd}@court.example",
            "ad\u{ffff}@court.example",
        ] {
            assert!(invalid.parse::<Recipient>().is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn stored_address_of_an_older_version_is_still_read() {
        let two_at_signs = "ada@court.example@court.example";
        let stored = format!("\"{two_at_signs}\"");
        let recipient: Recipient = serde_json::from_str(&stored).unwrap();
        assert_eq!(recipient.as_str(), two_at_signs);
    }
}
