//! `CompleteMultipartUpload`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.

use axum::response::Response;
use http::HeaderMap;
use md5::{Digest as _, Md5};

use super::{
    part_list::{self, ListedPart},
    upload::{Part, Upload},
};
use crate::{
    checksum::{self, CRC32_HEADER, Checksum, ChecksumType, text},
    content::{Content, Crc32},
    error::S3Error,
    input::Input,
    object::{Object, hex, same_etag},
    put::check_conditions,
    world::World,
    xml,
};

/// Minimum size of every part but the last.
const MIN_PART_SIZE: u64 = 5 << 20;
/// Header with the size of the object that the client expects.
const SIZE_HEADER: &str = "x-amz-mp-object-size";

/// Handles a `CompleteMultipartUpload`. After a refusal, the upload remains unfinished.
pub(crate) fn complete(world: &World, input: &Input) -> Result<Response, S3Error> {
    let listed = part_list::parse(&input.body)?;
    let id = input.query.text("uploadId");
    let mut uploads = world.uploads();
    let upload = uploads.find(&input.key, id)?;
    let object = assemble(upload, &listed, &input.headers)?;
    let mut objects = world.objects();
    check_conditions(&input.headers, objects.get(&input.key))?;

    let bucket = &world.config.bucket;
    let body = [
        xml::element("Location", &format!("http://{bucket}.s3.amazonaws.com/{}", input.key)),
        xml::element("Bucket", bucket),
        xml::element("Key", &input.key),
        xml::element("ETag", &object.etag),
        object.checksum.as_ref().map(Checksum::xml).unwrap_or_default(),
    ];
    objects.insert(input.key.clone(), object);
    uploads.remove(&input.key, id);
    Ok(xml::document("CompleteMultipartUploadResult", &body.concat()))
}

/// Returns the object that the listed parts make up, after all checks.
fn assemble(
    upload: &Upload,
    listed: &[ListedPart],
    headers: &HeaderMap,
) -> Result<Object, S3Error> {
    if !listed.is_sorted_by(|left, right| left.number < right.number) {
        return Err(S3Error::bad_request(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    check_type(upload, headers)?;
    let parts: Vec<&Part> =
        listed.iter().map(|listed| find_part(upload, listed)).collect::<Result<_, _>>()?;
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html
    let is_consecutive = || listed.iter().zip(1..).all(|(part, number)| part.number == number);
    if upload.checksum_type.is_some() && !is_consecutive() {
        return Err(S3Error::bad_request(
            "InvalidPartOrder",
            "The part numbers of an upload with a checksum must start at 1 and be consecutive.",
        ));
    }
    if parts.iter().rev().skip(1).any(|part| part.content.size() < MIN_PART_SIZE) {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(S3Error::bad_request("EntityTooSmall", message));
    }
    let content = Content::concat(parts.iter().map(|part| &part.content));
    check_size(content.size(), headers)?;
    let checksum = checksum_of(upload, &parts);
    check_checksum(checksum.as_ref(), headers)?;

    let digests: Vec<u8> = parts.iter().flat_map(|part| part.digest).collect();
    let etag = format!("\"{}-{}\"", hex(&Md5::digest(&digests)), parts.len());
    Ok(Object { checksum, ..Object::new(content, etag, upload.metadata.clone()) })
}

fn check_type(upload: &Upload, headers: &HeaderMap) -> Result<(), S3Error> {
    match ChecksumType::from_headers(headers)? {
        Some(kind) if upload.checksum_type != Some(kind) => {
            let created = upload.checksum_type.map_or("null", ChecksumType::name);
            Err(S3Error::invalid_request(&format!(
                "The upload was created using the {created} checksum mode. The complete request \
                 must use the same checksum mode."
            )))
        }
        _ => Ok(()),
    }
}

/// Returns the uploaded part with the ETag and the checksum of a listed part.
fn find_part<'a>(upload: &'a Upload, listed: &ListedPart) -> Result<&'a Part, S3Error> {
    let matches = |part: &&Part| {
        let stored = part.crc.map(checksum::encode);
        same_etag(&listed.etag, &part.etag())
            && !listed.has_other_checksum
            && (listed.crc.is_none() || listed.crc == stored)
    };
    let Some(part) = upload.parts.get(&listed.number).filter(matches) else {
        return Err(S3Error::bad_request(
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been \
             uploaded, or the specified entity tag may not match the part's entity tag.",
        ));
    };
    // A full object checksum does not depend on the checksums of the parts, a composite one does.
    if upload.checksum_type == Some(ChecksumType::Composite) && listed.crc.is_none() {
        return Err(S3Error::invalid_request(&format!(
            "The upload was created using a crc32 checksum. The complete request must include the \
             checksum for each part. It was missing for part {} in the request.",
            listed.number
        )));
    }
    Ok(part)
}

fn check_size(size: u64, headers: &HeaderMap) -> Result<(), S3Error> {
    match text(headers, SIZE_HEADER).map(str::parse::<u64>) {
        None => Ok(()),
        Some(Err(_)) => Err(checksum::invalid_header(SIZE_HEADER)),
        Some(Ok(expected)) if expected == size => Ok(()),
        Some(Ok(expected)) => Err(S3Error::invalid_request(&format!(
            "The provided 'x-amz-mp-object-size' header value {expected} does not match what was \
             computed: {size}"
        ))),
    }
}

/// Returns the checksum of the object. That of all bytes is combined from those of the parts.
fn checksum_of(upload: &Upload, parts: &[&Part]) -> Option<Checksum> {
    Some(match upload.checksum_type? {
        ChecksumType::FullObject => {
            let crcs = parts.iter().map(|part| part.content.crc());
            Checksum::full_object(crcs.fold(Crc32::EMPTY, Crc32::followed_by).value)
        }
        ChecksumType::Composite => {
            let crcs: Vec<u32> = parts.iter().filter_map(|part| part.crc).collect();
            Checksum::composite(&crcs)
        }
    })
}

/// Compares the checksum of the object with the one in the headers. S3 ignores a CRC-32 if the
/// upload was created without a checksum.
fn check_checksum(checksum: Option<&Checksum>, headers: &HeaderMap) -> Result<(), S3Error> {
    checksum::refuse_other_algorithms(headers)?;
    match (checksum, text(headers, CRC32_HEADER)) {
        (Some(checksum), Some(claimed)) => {
            let value = claimed.split('-').next().unwrap_or_default();
            if checksum::decode(value).is_none() {
                return Err(checksum::invalid_header(CRC32_HEADER));
            }
            if claimed == checksum.value { Ok(()) } else { Err(checksum::bad_digest()) }
        }
        _ => Ok(()),
    }
}
