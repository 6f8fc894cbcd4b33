//! `UploadPart`.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header::ETAG};

use super::upload::Part;
use crate::{
    checksum::{self, CRC32_HEADER, ChecksumType},
    error::S3Error,
    input::Input,
    payload,
    put::with_headers,
    query::Query,
    world::World,
};

/// Handles an `UploadPart`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>.
pub(crate) fn upload_part(world: &World, input: Input) -> Result<Response, S3Error> {
    let number = part_number(&input.query)?;
    let id = input.query.text("uploadId");
    let checksum_type = world.uploads().find(&input.key, id)?.checksum_type;
    let payload = payload::check(&input.headers, input.body)?;
    // A composite checksum consists of the checksums that the client has sent. For a full object
    // checksum, S3 computes a missing checksum of a part.
    if checksum_type == Some(ChecksumType::Composite) && payload.crc.is_none() {
        return Err(S3Error::invalid_request(
            "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum \
             Type: null",
        ));
    }
    if checksum_type.is_none() && payload.crc.is_some() {
        return Err(S3Error::invalid_request(
            "Checksum Type mismatch occurred, expected checksum Type: null, actual checksum \
             Type: crc32",
        ));
    }
    let part = Part::new(payload.content, checksum_type);
    let mut fields = vec![(ETAG.as_str(), part.etag())];
    fields.extend(part.crc.map(|crc| (CRC32_HEADER, checksum::encode(crc))));
    world.uploads().find(&input.key, id)?.parts.insert(number, part);
    Ok(with_headers(StatusCode::OK.into_response(), fields))
}

/// Returns the part number of a request.
pub(super) fn part_number(query: &Query) -> Result<u32, S3Error> {
    let number = query.text("partNumber").parse().ok();
    number.filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        S3Error::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
    })
}
