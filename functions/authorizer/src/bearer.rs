use secrecy::SecretString;

/// Longer than any token that API Gateway lets through with its other headers.
const LONGEST: usize = 10 * 1024;

/// The token of an `Authorization: Bearer` header (RFC 6750); `None` when the
/// value is not of that form.
#[must_use]
pub fn bearer(header: &str) -> Option<SecretString> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.len() <= LONGEST && !token.contains(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn the_scheme_is_read_in_any_case_and_the_token_as_it_stands() {
        for header in ["Bearer a.b.c", "bEARER a.b.c", "Bearer  a.b.c "] {
            assert_eq!(bearer(header).unwrap().expose_secret(), "a.b.c");
        }
        let long = format!("Bearer {}", "x".repeat(LONGEST + 1));
        for bad in ["", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "Bearera.b.c", &long] {
            assert!(bearer(bad).is_none(), "{bad}");
        }
    }
}
