//! Query parameters of requests to the Microsoft Graph simulator.

use http::request::Parts;
use percent_encoding::percent_decode_str;

/// Returns the percent-decoded value of a query parameter.
pub(crate) fn query_parameter(parts: &Parts, name: &str) -> Option<String> {
    parts.uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = percent_decode_str(key).decode_utf8().ok()?;
        (decoded == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}
