//! XML documents of the S3 simulator.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;

/// First line of every document.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// Namespace of the documents.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Escapes a text for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns an element with escaped text.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Returns a time in the format of S3.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Returns a response with a root element that has the namespace of S3.
pub(crate) fn document(root: &str, children: &str) -> Response {
    response(StatusCode::OK, &format!("<{root} xmlns=\"{NAMESPACE}\">{children}</{root}>"))
}

/// Returns a response with this document.
pub(crate) fn response(status: StatusCode, document: &str) -> Response {
    sim_kit::text(status, "application/xml", format!("{DECLARATION}{document}"))
}
