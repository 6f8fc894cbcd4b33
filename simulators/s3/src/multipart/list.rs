//! `ListParts` and `ListMultipartUploads`.

use axum::response::Response;

use super::upload::Upload;
use crate::{error::S3Error, input::Input, world::World, xml};

/// Maximum number of entries on a page.
const PAGE_SIZE: usize = 1000;

/// Handles a `ListParts`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>.
pub(crate) fn list_parts(world: &World, input: &Input) -> Result<Response, S3Error> {
    let limit = input.query.number("max-parts", PAGE_SIZE)?.min(PAGE_SIZE);
    let marker = input.query.number("part-number-marker", 0)?;
    let id = input.query.text("uploadId");
    let mut uploads = world.uploads();
    let upload = uploads.find(&input.key, id)?;
    let mut remaining = upload.parts.iter().filter(|(number, _)| **number as usize > marker);
    let mut parts = String::new();
    let mut next_marker = marker;
    for (number, part) in remaining.by_ref().take(limit) {
        next_marker = *number as usize;
        let fields = [
            xml::element("PartNumber", &number.to_string()),
            xml::element("LastModified", &xml::time(part.modified)),
            xml::element("ETag", &part.etag()),
            xml::element("Size", &part.content.size().to_string()),
            part.checksum_xml(),
        ];
        parts.push_str(&format!("<Part>{}</Part>", fields.concat()));
    }
    let is_truncated = remaining.next().is_some();
    let body = [
        xml::element("Bucket", &world.config.bucket),
        xml::element("Key", &input.key),
        xml::element("UploadId", id),
        xml::element("StorageClass", "STANDARD"),
        xml::element("PartNumberMarker", &marker.to_string()),
        xml::element("NextPartNumberMarker", &next_marker.to_string()),
        xml::element("MaxParts", &limit.to_string()),
        xml::element("IsTruncated", &is_truncated.to_string()),
        checksum_xml(upload),
        parts,
    ];
    Ok(xml::document("ListPartsResult", &body.concat()))
}

/// Handles a `ListMultipartUploads`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.
pub(crate) fn list_uploads(world: &World, input: &Input) -> Result<Response, S3Error> {
    if input.query.has_any(&["delimiter", "encoding-type"])
        && !(input.query.text("delimiter").is_empty()
            && matches!(input.query.text("encoding-type"), "" | "url"))
    {
        return Err(S3Error::not_implemented("a delimiter of upload lists is not simulated"));
    }
    let encoding = input.query.text("encoding-type");
    let encode = |text: &str| crate::list::encode(text, encoding == "url");
    let limit = input.query.number("max-uploads", PAGE_SIZE)?.min(PAGE_SIZE);
    let prefix = input.query.text("prefix");
    // The marker of the upload ID applies only together with that of the key. Without it, all
    // uploads of the key precede the page.
    let marker = (input.query.text("key-marker"), input.query.text("upload-id-marker"));
    let is_after_marker = |key: &str, id: &str| match marker {
        ("", _) => true,
        (key_marker, "") => key > key_marker,
        marker => (key, id) > marker,
    };
    let uploads = world.uploads();
    let mut remaining = uploads
        .0
        .iter()
        .filter(|((key, id), _)| key.starts_with(prefix) && is_after_marker(key, id));
    let mut entries = String::new();
    let mut last = ("", "");
    for ((key, id), upload) in remaining.by_ref().take(limit) {
        last = (key, id);
        let fields = [
            format!("<Key>{}</Key>", encode(key)),
            xml::element("UploadId", id),
            xml::element("StorageClass", "STANDARD"),
            xml::element("Initiated", &xml::time(upload.initiated)),
            checksum_xml(upload),
        ];
        entries.push_str(&format!("<Upload>{}</Upload>", fields.concat()));
    }
    let is_truncated = remaining.next().is_some();
    let body = [
        xml::element("Bucket", &world.config.bucket),
        format!("<KeyMarker>{}</KeyMarker>", encode(marker.0)),
        xml::element("UploadIdMarker", marker.1),
        format!("<NextKeyMarker>{}</NextKeyMarker>", encode(last.0)),
        xml::element("NextUploadIdMarker", last.1),
        format!("<Prefix>{}</Prefix>", encode(prefix)),
        xml::element("MaxUploads", &limit.to_string()),
        xml::element("IsTruncated", &is_truncated.to_string()),
        if encoding.is_empty() { String::new() } else { xml::element("EncodingType", encoding) },
        entries,
    ];
    Ok(xml::document("ListMultipartUploadsResult", &body.concat()))
}

/// Returns the elements with the checksum of an upload, if there is one.
fn checksum_xml(upload: &Upload) -> String {
    upload.checksum_type.map_or_else(String::new, |kind| {
        xml::element("ChecksumAlgorithm", "CRC32") + &xml::element("ChecksumType", kind.name())
    })
}
