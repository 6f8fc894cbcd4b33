//! Lists of objects in the S3 simulator: `ListObjectsV2`, and version 1 for older clients.

use std::{collections::BTreeSet, fmt::Write as _};

use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{query::Query, world::World, xml, xml::escape};

/// Characters to percent-encode: all except the unreserved ones (RFC 3986, section 2.3) and `/`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Maximum number of objects on a page. No benchmark stores more objects, so there is only one
/// page.
const PAGE_SIZE: usize = 1000;

/// Handles a list request with its prefix, delimiter and limit.
pub(crate) fn objects(world: &World, query: &Query) -> Response {
    let (prefix, delimiter) = (query.text("prefix"), query.text("delimiter"));
    let url_encoded = query.text("encoding-type") == "url";
    let encode = |text: &str| encode(text, url_encoded);
    let limit = query.text("max-keys").parse().unwrap_or(PAGE_SIZE).min(PAGE_SIZE);

    let mut contents = String::new();
    let mut folders = BTreeSet::new();
    let mut count = 0;
    for (key, object) in world.objects().iter() {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        if let Some(end) = rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            folders.insert(format!("{prefix}{}{delimiter}", &rest[..end]));
        } else if count < limit {
            count += 1;
            let modified = xml::time(object.modified);
            // Writing to a String cannot fail.
            let _ = write!(
                contents,
                "<Contents><Key>{}</Key><LastModified>{modified}</LastModified><ETag>{}</ETag>\
                 <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                encode(key),
                escape(&object.etag),
                object.size()
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
        "<Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{limit}</MaxKeys>\
         {encoding}<IsTruncated>false</IsTruncated>{contents}",
        world.config.bucket,
        encode(prefix),
        count + folders.len(),
    );
    xml::document("ListBucketResult", &body)
}

/// Encodes a key for a list: for a URL if the client asks for it, otherwise for XML.
pub(crate) fn encode(text: &str, url_encoded: bool) -> String {
    if url_encoded { utf8_percent_encode(text, ENCODED).to_string() } else { escape(text) }
}
