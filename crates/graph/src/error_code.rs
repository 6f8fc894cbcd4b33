//! Extraction of error codes, such as `itemNotFound`, from the error responses of Microsoft Graph
//! and of its token endpoint.

use serde_json::Value;

/// Maximum length of an error code in characters. Longer codes are truncated.
const MAX_CODE_LENGTH: usize = 64;

/// Extracts the error codes from the body of a response, from the most general to the most
/// specific. Returns no code if the body has none.
///
/// Graph nests codes in `innerError` or `innererror`. The token endpoint returns a string and a
/// list of numbers instead. The first number is appended to the string, because the number
/// distinguishes an expired secret (`invalid_client/7000222`) from a wrong one.
pub(crate) fn error_codes(body: &[u8]) -> Vec<String> {
    let Ok(envelope) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    if let Some(code) = envelope.get("error").and_then(Value::as_str).map(loggable_code) {
        let number = envelope.pointer("/error_codes/0").and_then(Value::as_u64);
        return vec![number.map_or(code.clone(), |number| format!("{code}/{number}"))];
    }
    let mut codes = Vec::new();
    let mut next_error = envelope.get("error");
    while let Some(error) = next_error {
        let code = error.get("code").and_then(Value::as_str).map(loggable_code);
        codes.extend(code.filter(|code| !code.is_empty()));
        next_error = error.get("innerError").or_else(|| error.get("innererror"));
    }
    codes
}

/// Returns an error code without the characters that no error code of Graph contains. Codes are
/// logged, so a response must not be able to put other text into the log.
fn loggable_code(code: &str) -> String {
    let is_code_character =
        |character: &char| character.is_ascii_alphanumeric() || "_.-".contains(*character);
    code.chars().filter(is_code_character).take(MAX_CODE_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn error_codes_are_stripped_of_other_characters() {
        let body = json!({"error": {"code": "a\nb https://x/?tempauth=s"}});
        assert_eq!(error_codes(&serde_json::to_vec(&body).unwrap()), ["abhttpsxtempauths"]);
    }

    #[test]
    fn body_without_an_error_code_has_no_codes() {
        assert!(error_codes(b"<html>").is_empty());
        assert!(error_codes(br#"{"error":{"code":""}}"#).is_empty());
    }
}
