//! `UploadPartCopy`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use super::{part::part_number, upload::Part};
use crate::{
    checksum::text, content::Content, error::S3Error, input::Input, object::same_etag,
    payload::MAX_SIZE, world::World, xml,
};

/// Maximum size of a source from which no range can be copied.
const UNRANGED_SOURCE: u64 = 5 << 20;
/// Conditions that are not simulated.
const OTHER_CONDITIONS: [&str; 3] = [
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
];

/// Handles an `UploadPartCopy`. The bytes are shared with the source, and the checksum is computed
/// from them.
pub(crate) fn upload_part_copy(world: &World, input: &Input) -> Result<Response, S3Error> {
    let number = part_number(&input.query)?;
    let id = input.query.text("uploadId");
    let checksum_type = world.uploads().find(&input.key, id)?.checksum_type;
    let part = Part::new(source(world, &input.headers)?, checksum_type);
    let body = [
        xml::element("LastModified", &xml::time(part.modified)),
        xml::element("ETag", &part.etag()),
        part.checksum_xml(),
    ];
    world.uploads().find(&input.key, id)?.parts.insert(number, part);
    Ok(xml::document("CopyPartResult", &body.concat()))
}

/// Returns the bytes to copy, after the conditions and limits were checked.
fn source(world: &World, headers: &HeaderMap) -> Result<Content, S3Error> {
    if let Some(name) = OTHER_CONDITIONS.into_iter().find(|name| headers.contains_key(*name)) {
        return Err(S3Error::not_implemented(&format!("{name} is not simulated")));
    }
    let header = text(headers, "x-amz-copy-source").unwrap_or_default();
    if header.contains('?') {
        return Err(S3Error::not_implemented("versions are not simulated"));
    }
    let path = percent_decode_str(header.trim_start_matches('/')).decode_utf8_lossy();
    let (bucket, key) =
        path.split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(|| {
            S3Error::invalid_argument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )
        })?;
    if bucket != world.config.bucket {
        return Err(S3Error::new(StatusCode::NOT_FOUND, "NoSuchBucket"));
    }
    let object = world.objects().get(key).cloned().ok_or_else(S3Error::no_such_key)?;
    if text(headers, "x-amz-copy-source-if-match")
        .is_some_and(|tag| tag != "*" && !same_etag(tag, &object.etag))
    {
        return Err(S3Error::precondition_failed());
    }
    let size = object.size();
    let (start, end) = match text(headers, "x-amz-copy-source-range") {
        None => (0, size),
        Some(range) => parse_range(range, size)?,
    };
    if end - start > MAX_SIZE {
        return Err(S3Error::invalid_request(&format!(
            "The specified copy source is larger than the maximum allowable size for a copy \
             source: {MAX_SIZE}"
        )));
    }
    Ok(object.content.slice(start, end))
}

/// Parses the range of a copy. Unlike in a GET, both ends must be given and lie in the source.
fn parse_range(header: &str, size: u64) -> Result<(u64, u64), S3Error> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok()).flatten()
    };
    let ends = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let Some((first, last)) = ends.and_then(|(first, last)| number(first).zip(number(last))) else {
        return Err(S3Error::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
        ));
    };
    if first > last || last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(S3Error::invalid_argument(&message));
    }
    if size <= UNRANGED_SOURCE {
        return Err(S3Error::invalid_request(
            "The specified copy source is not supported as a byte-range copy source",
        ));
    }
    Ok((first, last + 1))
}
