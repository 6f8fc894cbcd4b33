//! HTTP Basic credentials.

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
    /// Parses the value of the header; `None` if it is not valid Basic authentication.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        // A user name cannot contain a colon; a password can.
        let (username, password) = text.split_once(':')?;
        Some(Self { username: username.into(), password: password.into() })
    }

    /// Compares the credentials with the account in constant time: it always compares both parts,
    /// as digests of equal length.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        let username = digests_equal(&self.username, &account.username);
        let password = digests_equal(&self.password, &account.password);
        (username & password).into()
    }
}

fn digests_equal(a: &SecretString, b: &SecretString) -> subtle::Choice {
    let digest = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes());
    digest(a).ct_eq(&digest(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn account() -> Account {
        Account { username: "scv".into(), password: "pa:ss wörd".into() }
    }

    #[test]
    fn correct_account_matches_with_a_colon_in_its_password() {
        assert!(Credentials::parse(&header("scv:pa:ss wörd")).unwrap().matches(&account()));
        let lower = header("scv:pa:ss wörd").replacen("Basic", "bAsIc", 1);
        assert!(Credentials::parse(&lower).unwrap().matches(&account()));
    }

    #[test]
    fn wrong_user_or_password_does_not_match() {
        for wrong in ["scv:", ":pa:ss wörd", "SCV:pa:ss wörd", "scv:pa:ss wörd "] {
            assert!(!Credentials::parse(&header(wrong)).unwrap().matches(&account()), "{wrong}");
        }
    }

    #[test]
    fn malformed_basic_header_is_rejected() {
        for bad in ["", "Basic", "Basic ???", "Bearer abc", &header("nocolon")] {
            assert!(Credentials::parse(bad).is_none(), "{bad}");
        }
    }
}
