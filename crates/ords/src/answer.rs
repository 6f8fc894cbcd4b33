//! Interpretation of the responses of ORDS.

use bytes::Bytes;
use docferry_app::ports::{SourceAnswer, SourceError};
use docferry_domain::text::media_type;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Response with its complete body.
pub(crate) struct OrdsResponse {
    pub(crate) status: StatusCode,
    /// Media type of the body in lower case, without parameters.
    pub(crate) media_type: String,
    pub(crate) body: Bytes,
}

/// Cause of an error for the log: ORDS responded with a server error.
#[derive(Debug, thiserror::Error)]
#[error("status {0}")]
struct ServerFailure(u16);

/// Parses a response as `T`, or returns the matching error. All statuses and bodies become
/// [`SourceError`]s here.
///
/// Status 200 does not always mean success. The body may be an HTML error page of a server in
/// front of ORDS or a truncated response, both of which may be temporary
/// ([`SourceError::InvalidAnswer`]). It may also be an error text instead of the expected fields,
/// which a retry would not change ([`SourceError::Refused`]).
pub(crate) fn judge<T: DeserializeOwned>(answer: &OrdsResponse) -> Result<T, SourceError> {
    match answer.status.as_u16() {
        200..=299 => {}
        404 => return Err(SourceError::NotFound),
        401 | 403 => return Err(SourceError::Unauthorized),
        status @ (408 | 429 | 500..=599) => {
            return Err(SourceError::Unavailable(Box::new(ServerFailure(status))));
        }
        400..=499 => return Err(SourceError::Refused),
        _ => return Err(SourceError::InvalidAnswer),
    }
    let text = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    let text = text.trim_ascii();
    let is_html = matches!(answer.media_type.as_str(), "text/html" | "application/xhtml+xml");
    match text.first() {
        None => Err(SourceError::InvalidAnswer),
        Some(b'<') => Err(SourceError::InvalidAnswer),
        Some(_) if is_html => Err(SourceError::InvalidAnswer),
        Some(b'{' | b'[') => {
            let value: serde_json::Value =
                serde_json::from_slice(text).map_err(|_| SourceError::InvalidAnswer)?;
            serde_json::from_value(value).map_err(|_| SourceError::Refused)
        }
        Some(_) => Err(SourceError::Refused),
    }
}

/// Response to a push: facts about the pushed document.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    filename: String,
    mimetype: Option<String>,
    sizeval: Size,
}

/// Size in bytes. ORDS sends it as a string; a number is accepted as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

impl TryFrom<Facts> for SourceAnswer {
    type Error = SourceError;

    fn try_from(facts: Facts) -> Result<Self, SourceError> {
        let size = match facts.sizeval {
            Size::Number(size) => size,
            Size::Text(text) => {
                let digits = text.trim();
                // `parse` alone would accept a plus sign.
                let only_digits = digits.bytes().all(|b| b.is_ascii_digit());
                let size = digits.parse().ok().filter(|_| only_digits);
                size.ok_or(SourceError::Refused)?
            }
        };
        Ok(Self {
            filename: facts.filename,
            mime: facts
                .mimetype
                .filter(|mime| !mime.trim().is_empty())
                .map(|mime| media_type(&mime).to_owned()),
            size,
        })
    }
}

/// Response to a ping.
#[derive(Debug, Deserialize)]
pub(crate) struct PingResponse {
    /// Health text. The name of its JSON field contains a space.
    #[serde(rename = "objcenords status")]
    pub(crate) status: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(status: u16, media_type: &str, body: &str) -> Result<SourceAnswer, SourceError> {
        let answer = OrdsResponse {
            status: StatusCode::from_u16(status).unwrap(),
            media_type: media_type.into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        judge(&answer).and_then(|facts: Facts| facts.try_into())
    }

    const JSON: &str = "application/json";

    #[test]
    fn document_facts_are_passed_on_and_size_may_be_a_string() {
        for (body, filename, mime, size) in [
            (
                r#"{"filename":"a.pdf","mimetype":"application/pdf","sizeval":"12"}"#,
                "a.pdf",
                Some("application/pdf"),
                12,
            ),
            (r#"{"filename":"","mimetype":"","sizeval":"0"}"#, "", None, 0),
            (r#"{"filename":"../a\"b\n","sizeval":" 7 ","more":1}"#, "../a\"b\n", None, 7),
            (r#"{"filename":"a","mimetype":null,"sizeval":5}"#, "a", None, 5),
            (
                "\u{feff} \n{\"filename\":\"a\",\"sizeval\":\"5000000000\"}",
                "a",
                None,
                5_000_000_000,
            ),
        ] {
            let answer = push(200, JSON, body).unwrap();
            assert_eq!(answer.filename, filename);
            assert_eq!(answer.mime.as_deref(), mime);
            assert_eq!(answer.size, size);
        }
    }

    #[test]
    fn media_type_invalid_in_a_header_becomes_octet_stream() {
        for (mime, expected) in [
            (r"application/pdf", "application/pdf"),
            (r"application/pdf\nX: 1", "application/octet-stream"),
            (r"application/größe", "application/octet-stream"),
            (r"pdf", "application/octet-stream"),
        ] {
            let body = format!(r#"{{"filename":"a","mimetype":"{mime}","sizeval":"1"}}"#);
            let answer = push(200, JSON, &body).unwrap();
            assert_eq!(answer.mime.as_deref(), Some(expected), "{mime}");
        }
    }

    #[test]
    fn html_page_or_truncated_response_is_retryable() {
        for (media_type, body) in [
            ("text/html", "<html><body>503 Service Unavailable"),
            ("text/html", "Service Unavailable"),
            (JSON, " \n<!DOCTYPE html>"),
            (JSON, ""),
            ("", " \r\n "),
            (JSON, r#"{"filename":"a.pdf","sizeva"#),
            (JSON, "[1,"),
        ] {
            let answer = push(200, media_type, body);
            assert!(matches!(answer, Err(SourceError::InvalidAnswer)), "{body} {answer:?}");
        }
    }

    #[test]
    fn error_text_instead_of_facts_is_a_permanent_error() {
        for body in [
            "ORA-20001: unknown document",
            "\"unknown document\"",
            "null",
            "17",
            "[]",
            "{}",
            r#"{"error":"unknown document"}"#,
            r#"{"filename":"a.pdf"}"#,
            r#"{"filename":null,"sizeval":"1"}"#,
            r#"{"filename":"a.pdf","sizeval":""}"#,
            r#"{"filename":"a.pdf","sizeval":"big"}"#,
            r#"{"filename":"a.pdf","sizeval":"-1"}"#,
            r#"{"filename":"a.pdf","sizeval":"+1"}"#,
            r#"{"filename":"a.pdf","sizeval":"1.5"}"#,
            r#"{"filename":"a.pdf","sizeval":-1}"#,
            r#"{"filename":"a.pdf","sizeval":"99999999999999999999"}"#,
        ] {
            let answer = push(200, JSON, body);
            assert!(matches!(answer, Err(SourceError::Refused)), "{body} {answer:?}");
        }
    }

    #[test]
    fn error_status_decides_regardless_of_the_body() {
        for (status, meaning) in [
            (404, "the document is unknown to its source"),
            (401, "the document source refused our credentials"),
            (403, "the document source refused our credentials"),
            (400, "the document source refused the request"),
            (405, "the document source refused the request"),
            (422, "the document source refused the request"),
            (408, "the document source did not answer"),
            (429, "the document source did not answer"),
            (500, "the document source did not answer"),
            (503, "the document source did not answer"),
            (302, "the document source gave an answer that is not of its contract"),
        ] {
            let body = r#"{"filename":"a.pdf","sizeval":"1"}"#;
            let error = push(status, JSON, body).unwrap_err();
            assert_eq!(error.to_string(), meaning, "{status}");
        }
    }
}
