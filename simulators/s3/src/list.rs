//! Lists of objects in the S3 simulator: `ListObjectsV2`, and version 1 for older clients.

use std::{collections::BTreeSet, fmt::Write as _};

use axum::response::Response;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::world::World;

/// Characters to percent-encode: all except the unreserved ones (RFC 3986, section 2.3) and `/`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Maximum number of objects on a page. No benchmark stores more objects, so there is only one
/// page.
const PAGE_SIZE: usize = 1000;

/// Handles a list request with its prefix, delimiter and limit.
pub(crate) fn objects(world: &World, query: &str) -> Response {
    let parameters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let parameter = |name: &str| {
        parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_ref())
    };
    let (prefix, delimiter) = (parameter("prefix"), parameter("delimiter"));
    let url_encoded = parameter("encoding-type") == "url";
    let encode = |text: &str| match url_encoded {
        true => utf8_percent_encode(text, ENCODED).to_string(),
        false => escape(text),
    };
    let limit = parameter("max-keys").parse().unwrap_or(PAGE_SIZE).min(PAGE_SIZE);

    let mut contents = String::new();
    let mut folders = BTreeSet::new();
    let mut count = 0;
    for (key, object) in world.objects().iter() {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        if let Some(end) = rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            folders.insert(format!("{prefix}{}{delimiter}", &rest[..end]));
        } else if count < limit {
            count += 1;
            let modified = object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z");
            // Writing to a String cannot fail.
            let _ = write!(
                contents,
                "<Contents><Key>{}</Key><LastModified>{modified}</LastModified><ETag>{}</ETag>\
                 <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                encode(key),
                escape(object.etag()),
                object.size
            );
        }
    }
    for folder in &folders {
        let _ = write!(
            contents,
            "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
            encode(folder)
        );
    }
    let encoding = if url_encoded { "<EncodingType>url</EncodingType>" } else { "" };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{limit}</MaxKeys>\
         {encoding}<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>",
        world.config.bucket,
        encode(prefix),
        count + folders.len(),
    );
    sim_kit::text(StatusCode::OK, "application/xml", body)
}

/// Escapes a text for XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
