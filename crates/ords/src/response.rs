//! Interpretation of the HTTP responses of ORDS, the REST service in front of the court's object
//! store.
//!
//! The client in `source.rs` sends two kinds of requests. A push asks ORDS to write a document to
//! intermediate storage, and [`PushResponse`] describes that document. A ping checks the health of
//! ORDS, and its response is [`PingResponse`]. [`parse_response`] parses both, or returns the
//! [`SourceError`] that the response stands for.

use bytes::Bytes;
use docferry_app::ports::{SourceAnswer, SourceError};
use docferry_domain::text::media_type;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Byte order mark that ORDS may put before the JSON text of a body.
const UTF8_BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// HTTP response of ORDS with its complete body.
pub(crate) struct OrdsResponse {
    pub(crate) status: StatusCode,
    /// Media type of the body in lower case, without parameters.
    pub(crate) media_type: String,
    pub(crate) body: Bytes,
}

/// Cause of [`SourceError::Unavailable`] for the log: the status of ORDS.
#[derive(Debug, thiserror::Error)]
#[error("status {status}")]
struct UnavailableStatus {
    status: u16,
}

/// Parses the body of a response as `T`, or returns the error that the status and body stand for.
///
/// A response with status 200 can still be an error:
///
/// - The body is an HTML error page of a server in front of ORDS, or it is truncated. A retry may
///   succeed, so the error is [`SourceError::InvalidAnswer`].
/// - The body is an error text instead of the fields of `T`. A retry would return the same text,
///   so the error is [`SourceError::Refused`].
pub(crate) fn parse_response<T: DeserializeOwned>(
    response: &OrdsResponse,
) -> Result<T, SourceError> {
    match response.status.as_u16() {
        200..=299 => {}
        404 => return Err(SourceError::NotFound),
        401 | 403 => return Err(SourceError::Unauthorized),
        status @ (408 | 429 | 500..=599) => {
            return Err(SourceError::Unavailable(Box::new(UnavailableStatus { status })));
        }
        400..=499 => return Err(SourceError::Refused),
        _ => return Err(SourceError::InvalidAnswer),
    }
    let body = response.body.strip_prefix(UTF8_BYTE_ORDER_MARK).unwrap_or(&response.body);
    let text = body.trim_ascii();
    let is_html = matches!(response.media_type.as_str(), "text/html" | "application/xhtml+xml");
    match text.first() {
        None | Some(b'<') => Err(SourceError::InvalidAnswer),
        Some(_) if is_html => Err(SourceError::InvalidAnswer),
        // The two steps separate truncated JSON from complete JSON without the fields of `T`.
        Some(b'{' | b'[') => {
            let value: serde_json::Value =
                serde_json::from_slice(text).map_err(|_| SourceError::InvalidAnswer)?;
            serde_json::from_value(value).map_err(|_| SourceError::Refused)
        }
        Some(_) => Err(SourceError::Refused),
    }
}

/// Response to a push: name, media type and size of the pushed document.
#[derive(Debug, Deserialize)]
pub(crate) struct PushResponse {
    filename: String,
    mimetype: Option<String>,
    sizeval: Size,
}

/// Size of a document in bytes. ORDS sends it as a string; a number is accepted as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

impl Size {
    /// Returns the number of bytes. Fails if the string has other characters than decimal digits.
    fn bytes(&self) -> Result<u64, SourceError> {
        match self {
            Self::Number(bytes) => Ok(*bytes),
            Self::Text(text) => {
                let digits = text.trim();
                // `parse` alone would accept a plus sign.
                let has_only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
                let bytes = digits.parse().ok().filter(|_| has_only_digits);
                bytes.ok_or(SourceError::Refused)
            }
        }
    }
}

impl TryFrom<PushResponse> for SourceAnswer {
    type Error = SourceError;

    fn try_from(response: PushResponse) -> Result<Self, SourceError> {
        let mime = response.mimetype.filter(|mime| !mime.trim().is_empty());
        Ok(Self {
            filename: response.filename,
            mime: mime.map(|mime| media_type(&mime).to_owned()),
            size: response.sizeval.bytes()?,
        })
    }
}

/// Response to a ping, the health check.
#[derive(Debug, Deserialize)]
pub(crate) struct PingResponse {
    /// Health text. The name of its JSON field contains a space.
    #[serde(rename = "objcenords status")]
    pub(crate) status: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";

    /// Parses a response to a push.
    fn parse_push(status: u16, media_type: &str, body: &str) -> Result<SourceAnswer, SourceError> {
        let response = OrdsResponse {
            status: StatusCode::from_u16(status).unwrap(),
            media_type: media_type.into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        parse_response(&response).and_then(|push: PushResponse| push.try_into())
    }

    #[test]
    fn file_name_media_type_and_size_are_read_from_a_push_response() {
        let document = |filename: &str, mime: Option<&str>, size: u64| SourceAnswer {
            filename: filename.to_owned(),
            mime: mime.map(str::to_owned),
            size,
        };
        for (body, expected) in [
            (
                r#"{"filename":"a.pdf","mimetype":"application/pdf","sizeval":"12"}"#,
                document("a.pdf", Some("application/pdf"), 12),
            ),
            (r#"{"filename":"","mimetype":"","sizeval":"0"}"#, document("", None, 0)),
            (
                r#"{"filename":"../a\"b\n","sizeval":" 7 ","more":1}"#,
                document("../a\"b\n", None, 7),
            ),
            (r#"{"filename":"a","mimetype":null,"sizeval":5}"#, document("a", None, 5)),
            (
                "\u{feff} \n{\"filename\":\"a\",\"sizeval\":\"5000000000\"}",
                document("a", None, 5_000_000_000),
            ),
        ] {
            let push = parse_push(200, JSON, body).unwrap();

            assert_eq!(push, expected);
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

            let push = parse_push(200, JSON, &body).unwrap();

            assert_eq!(push.mime.as_deref(), Some(expected), "{mime}");
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
            let result = parse_push(200, media_type, body);
            assert!(matches!(result, Err(SourceError::InvalidAnswer)), "{body} {result:?}");
        }
    }

    #[test]
    fn body_without_the_fields_of_a_push_is_a_permanent_error() {
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
            let result = parse_push(200, JSON, body);
            assert!(matches!(result, Err(SourceError::Refused)), "{body} {result:?}");
        }
    }

    #[test]
    fn error_status_determines_the_error_even_if_the_body_is_valid() {
        for (status, expected) in [
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

            let error = parse_push(status, JSON, body).unwrap_err();

            assert_eq!(error.to_string(), expected, "{status}");
        }
    }
}
