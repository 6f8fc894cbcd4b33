//! Extraction of the bearer token from the `Authorization` header of a request.

use secrecy::SecretString;

/// Maximum length of a token in bytes. API Gateway limits all headers together to about this size,
/// so longer tokens cannot arrive.
const MAX_TOKEN_BYTES: usize = 10 * 1024;

/// Returns the token in the value of an `Authorization` header (RFC 6750). Returns `None` if the
/// value is not valid bearer authentication.
#[must_use]
pub fn bearer(header: &str) -> Option<SecretString> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES && !token.contains(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn bearer_scheme_is_case_insensitive_and_the_token_is_unchanged() {
        for header in ["Bearer a.b.c", "bEARER a.b.c", "Bearer  a.b.c "] {
            assert_eq!(bearer(header).unwrap().expose_secret(), "a.b.c");
        }
        let too_long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        for invalid in
            ["", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "Bearera.b.c", &too_long]
        {
            assert!(bearer(invalid).is_none(), "{invalid}");
        }
    }
}
