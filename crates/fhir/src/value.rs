//! Values of search parameters: lists, tokens, and FHIR's escaping with a backslash
//! (<https://hl7.org/fhir/R4/search.html#escaping>).

/// A code or identifier with an optional system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The system; `None` allows any, and an empty one means that the code has no system.
    pub system: Option<String>,
    /// The code.
    pub code: String,
}

/// Maximum number of alternatives of one parameter. As many documents are read in one request.
pub(crate) const MAX_ALTERNATIVES: usize = 100;

/// Error for a malformed value.
pub(crate) type Problem = &'static str;

/// Splits a list at its unescaped commas.
pub(crate) fn alternatives(text: &str) -> Result<Vec<&str>, Problem> {
    let parts = split(text, ',')?;
    if parts.len() > MAX_ALTERNATIVES {
        return Err("must have at most 100 alternatives");
    }
    if parts.contains(&"") {
        return Err("must not be empty");
    }
    Ok(parts)
}

/// Reads `[system|]code`.
pub(crate) fn token(text: &str) -> Result<Token, Problem> {
    let (system, code) = match split(text, '|')?.as_slice() {
        [code] => (None, unescaped(code)),
        [system, code] => (Some(unescaped(system)), unescaped(code)),
        _ => return Err("must have at most one | that is not escaped as \\|"),
    };
    if code.is_empty() {
        return Err("must have a value after the system");
    }
    Ok(Token { system, code })
}

/// Splits a text at each unescaped separator.
fn split(text: &str, separator: char) -> Result<Vec<&str>, Problem> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (place, c) in text.char_indices() {
        if escaped {
            if !matches!(c, '\\' | ',' | '|' | '$') {
                return Err(ESCAPE);
            }
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(&text[start..place]);
            start = place + c.len_utf8();
        }
    }
    if escaped {
        return Err(ESCAPE);
    }
    parts.push(&text[start..]);
    Ok(parts)
}

const ESCAPE: Problem = "must have one of \\ , | $ after each backslash";

/// Removes the escaping of a part that [`split`] has checked.
fn unescaped(text: &str) -> String {
    let (mut plain, mut escaped) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(Option<String>, String), Problem> {
        token(text).map(|token| (token.system, token.code))
    }

    #[test]
    fn token_has_an_optional_system() {
        let read_ok = |text| read(text).unwrap();
        assert_eq!(read_ok("a"), (None, "a".into()));
        assert_eq!(read_ok("s|a"), (Some("s".into()), "a".into()));
        assert_eq!(read_ok("|a"), (Some(String::new()), "a".into()));
        assert_eq!(read_ok("a\\|b\\,c\\$d\\\\"), (None, "a|b,c$d\\".into()));
        for bad in ["", "s|", "a|b|c", "a\\b", "a\\", "\\|\\"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn list_is_split_at_unescaped_commas() {
        assert_eq!(alternatives("a,b\\,c,d"), Ok(vec!["a", "b\\,c", "d"]));
        assert_eq!(alternatives("\\\\,a"), Ok(vec!["\\\\", "a"]));
        for bad in ["", ",", "a,", ",a", "a,,b", "a\\", &"a,".repeat(100)] {
            assert!(alternatives(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escaped_codes_are_read_unchanged(codes in proptest::collection::vec("[a|,$\\\\ä]{1,5}", 1..5)) {
            let escape = |code: &String| -> String {
                code.chars().flat_map(|c| ("\\,|$".contains(c)).then_some('\\').into_iter().chain([c])).collect()
            };
            let text = codes.iter().map(escape).collect::<Vec<_>>().join(",");
            let parts = alternatives(&text).unwrap();
            let read: Vec<_> = parts.iter().map(|part| read(part).unwrap()).collect();
            let expected: Vec<_> = codes.into_iter().map(|code| (None, code)).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
