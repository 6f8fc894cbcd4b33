//! Values of search parameters, such as `type=a,system|b`.
//!
//! A value is a list of alternatives: a document matches if one of them applies to it. An
//! alternative may be a *token*, FHIR's word for a code with an optional system. The system is a
//! URI that says where the code is defined. A backslash escapes the separators in a value
//! (<https://hl7.org/fhir/R4/search.html#escaping>).

/// Maximum number of alternatives of one parameter. A search by ids reads up to this many documents
/// at once.
pub(crate) const MAX_ALTERNATIVES: usize = 100;
/// Error for a value with an invalid escape.
const INVALID_ESCAPE: Problem = "must have one of \\ , | $ after each backslash";

/// Text of an error for a malformed value. The name of the parameter stands before it.
pub(crate) type Problem = &'static str;

/// A code or identifier with an optional system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// System of the code. `None` allows every system. An empty text means that the code has no
    /// system.
    pub system: Option<String>,
    /// Code or identifier, not empty.
    pub code: String,
}

/// Splits a value at its unescaped commas.
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

/// Parses `[system|]code`.
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
    let (mut parts, mut start, mut is_escaped) = (Vec::new(), 0, false);
    for (index, character) in text.char_indices() {
        if is_escaped {
            if !matches!(character, '\\' | ',' | '|' | '$') {
                return Err(INVALID_ESCAPE);
            }
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == separator {
            parts.push(&text[start..index]);
            start = index + character.len_utf8();
        }
    }
    if is_escaped {
        return Err(INVALID_ESCAPE);
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Removes the backslashes that escape a character. [`split`] has already checked the escapes.
fn unescaped(text: &str) -> String {
    let (mut plain, mut is_escaped) = (String::with_capacity(text.len()), false);
    for character in text.chars() {
        if character == '\\' && !is_escaped {
            is_escaped = true;
        } else {
            plain.push(character);
            is_escaped = false;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parses a token and returns its system and its code.
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
