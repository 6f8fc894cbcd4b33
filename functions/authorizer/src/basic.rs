//! HTTP Basic credentials of a request, and their comparison with the service account.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::Account;

/// User name and password of an `Authorization: Basic` header (RFC 7617).
#[derive(Debug)]
pub struct Credentials {
    username: SecretString,
    password: SecretString,
}

impl Credentials {
    /// Parses the value of an `Authorization` header. Returns `None` if the value is not valid
    /// Basic authentication.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        // The first colon ends the user name, because only the password can contain colons.
        let (username, password) = text.split_once(':')?;
        Some(Self { username: username.into(), password: password.into() })
    }

    /// Returns whether the credentials are those of the account.
    ///
    /// The comparison takes constant time: it always compares both the user name and the password,
    /// and it compares digests, which have equal lengths.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        let same_username = digests_equal(&self.username, &account.username);
        let same_password = digests_equal(&self.password, &account.password);
        (same_username & same_password).into()
    }
}

fn digests_equal(left: &SecretString, right: &SecretString) -> subtle::Choice {
    let digest = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes());
    digest(left).ct_eq(&digest(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic_header(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn account() -> Account {
        Account { username: "scv".into(), password: "pa:ss wörd".into() }
    }

    #[test]
    fn correct_password_with_a_colon_matches_the_account() {
        assert!(Credentials::parse(&basic_header("scv:pa:ss wörd")).unwrap().matches(&account()));
        let mixed_case_scheme = basic_header("scv:pa:ss wörd").replacen("Basic", "bAsIc", 1);
        assert!(Credentials::parse(&mixed_case_scheme).unwrap().matches(&account()));
    }

    #[test]
    fn wrong_user_or_password_does_not_match() {
        for wrong in ["scv:", ":pa:ss wörd", "SCV:pa:ss wörd", "scv:pa:ss wörd "] {
            assert!(
                !Credentials::parse(&basic_header(wrong)).unwrap().matches(&account()),
                "{wrong}"
            );
        }
    }

    #[test]
    fn malformed_basic_header_is_rejected() {
        for malformed in ["", "Basic", "Basic ???", "Bearer abc", &basic_header("nocolon")] {
            assert!(Credentials::parse(malformed).is_none(), "{malformed}");
        }
    }
}
