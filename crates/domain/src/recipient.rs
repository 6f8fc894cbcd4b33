use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecipient(&'static str);

/// The recipient's e-mail address: the Microsoft 365 user.
///
/// Only what can never be an address is refused here; whether the user exists
/// is Graph's to say. `Debug` hides it: addresses of people go to no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl Recipient {
    /// The address, for the request to Graph and nothing else.
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

impl FromStr for Recipient {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // RFC 5321 4.5.3.1: local part 64, domain 255, path 256 with brackets.
        if text.is_empty() {
            return Err(InvalidRecipient("must not be empty"));
        }
        if text.len() > 254 {
            return Err(InvalidRecipient("must be at most 254 characters"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\?<>\"".contains(c)) {
            return Err(InvalidRecipient("must be an e-mail address without spaces or slashes"));
        }
        match text.rsplit_once('@') {
            Some((local, domain))
                if !local.is_empty() && local.len() <= 64 && !domain.is_empty() =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidRecipient("must be an e-mail address such as name@example.org")),
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = InvalidRecipient;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_hash_and_plus_are_accepted_and_never_debug_printed() {
        let address: Recipient = "ada+x#EXT#@court.example".parse().unwrap();
        assert_eq!(format!("{address:?}"), "Recipient(…)");
    }

    #[test]
    fn what_can_never_be_an_address_is_refused() {
        for bad in ["", "ada", "@x", "ada@", "a b@c", "a@b/../c", "a@b\n"] {
            assert!(bad.parse::<Recipient>().is_err(), "{bad:?}");
        }
    }
}
