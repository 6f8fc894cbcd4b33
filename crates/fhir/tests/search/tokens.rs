//! Page tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docferry_domain::document::Position;
use docferry_fhir::{InvalidPageToken, OperationOutcome, PageKey, PageTokens};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{errors_of, parse, record, search};

fn position() -> Position {
    record(json!({})).position()
}

#[test]
fn token_is_valid_only_for_its_key_caller_and_search() {
    let key = PageKey::from_secret(b"secret");
    let token = PageTokens::new(&key, "ada", &search("type=a&date=2026")).write(&position());
    let read = |key: &[u8], caller: &str, form: &str| {
        PageTokens::new(&PageKey::from_secret(key), caller, &parse(form).unwrap()).read(&token)
    };
    let form = "subject.identifier=S-1&type=a&date=2026";
    assert_eq!(read(b"secret", "ada", form), Ok(position()));
    // Neither the token itself, nor the order, nor ignored parameters make a difference.
    let same = format!("_page={token}&date=2026&colour=red&type=a&subject.identifier=S-1");
    assert_eq!(read(b"secret", "ada", &same), Ok(position()));
    for (key, caller, form) in [
        (&b"other"[..], "ada", form),
        (b"secret", "bob", form),
        (b"secret", "", form),
        (b"secret", "ada", "subject.identifier=S-1&type=a"),
        (b"secret", "ada", "subject.identifier=S-2&type=a&date=2026"),
        (b"secret", "ada", "subject.identifier=S-1&type=a&date=2026&_sort=date"),
        (b"secret", "ada", "subject.identifier=S-1&category=a&date=2026"),
    ] {
        assert_eq!(read(key, caller, form), Err(InvalidPageToken), "{caller} {form}");
    }
}

#[test]
fn token_does_not_show_its_position() {
    let tokens = PageTokens::new(&PageKey::from_secret(b"secret"), "ada", &search(""));
    let bytes = URL_SAFE_NO_PAD.decode(tokens.write(&position())).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("doc-1") && !text.contains("2026"), "{text}");
    assert_eq!(tokens.write(&position()), tokens.write(&position()));
}

#[test]
fn refused_token_is_named_as_a_parameter() {
    let outcome = OperationOutcome::from(InvalidPageToken);
    assert_eq!(errors_of(&outcome), [("value".to_owned(), "_page".to_owned())]);
}

#[test]
fn key_is_hidden_from_debug_output() {
    assert_eq!(format!("{:?}", PageKey::from_secret(b"secret")), "PageKey(…)");
}

proptest! {
    #[test]
    fn changed_token_is_refused(place in 0..90_usize, to in "[A-Za-z0-9_=!-]") {
        let tokens = PageTokens::new(&PageKey::from_secret(b"secret"), "ada", &search(""));
        let token = tokens.write(&position());
        let mut changed = token.clone();
        changed.replace_range(place..=place, &to);
        prop_assume!(changed != token);
        prop_assert_eq!(tokens.read(&changed), Err(InvalidPageToken));
        prop_assert_eq!(tokens.read(&token[..place]), Err(InvalidPageToken));
    }

    #[test]
    fn arbitrary_text_is_refused(text in "\\PC{0,80}") {
        let tokens = PageTokens::new(&PageKey::from_secret(b"secret"), "ada", &search(""));
        prop_assert_eq!(tokens.read(&text), Err(InvalidPageToken));
    }
}
