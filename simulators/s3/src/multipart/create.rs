//! `CreateMultipartUpload` and `AbortMultipartUpload`.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use uuid::Uuid;

use super::upload::Upload;
use crate::{
    checksum::{ChecksumType, TYPE_HEADER, text},
    error::S3Error,
    input::Input,
    object::Metadata,
    put::with_headers,
    world::World,
    xml,
};

/// Header with the checksum algorithm of an upload.
const ALGORITHM_HEADER: &str = "x-amz-checksum-algorithm";

/// Handles a `CreateMultipartUpload`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>.
pub(crate) fn create(world: &World, input: &Input) -> Result<Response, S3Error> {
    let requested = ChecksumType::from_headers(&input.headers)?;
    let checksum_type = match (text(&input.headers, ALGORITHM_HEADER), requested) {
        (Some("CRC32"), _) if world.config.composite_checksums_only => {
            Some(ChecksumType::Composite)
        }
        // For CRC-32, S3 defaults to a composite checksum.
        (Some("CRC32"), requested) => Some(requested.unwrap_or(ChecksumType::Composite)),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(S3Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the \
                 x-amz-checksum-algorithm header.",
            ));
        }
        (Some("CRC32C" | "CRC64NVME" | "SHA1" | "SHA256"), _) => {
            return Err(S3Error::not_implemented("only the checksum algorithm CRC32 is simulated"));
        }
        (Some(_), _) => {
            return Err(S3Error::invalid_request("Checksum algorithm provided is unsupported."));
        }
    };
    let id = Uuid::now_v7().simple().to_string();
    let body = [
        xml::element("Bucket", &world.config.bucket),
        xml::element("Key", &input.key),
        xml::element("UploadId", &id),
    ];
    let upload = Upload {
        initiated: sim_kit::now(),
        checksum_type,
        metadata: Metadata::of_request(&input.headers),
        parts: BTreeMap::new(),
    };
    world.uploads().0.insert((input.key.clone(), id), upload);
    let response = xml::document("InitiateMultipartUploadResult", &body.concat());
    let fields = checksum_type.map(|kind| {
        [(ALGORITHM_HEADER, "CRC32".to_owned()), (TYPE_HEADER, kind.name().to_owned())]
    });
    Ok(with_headers(response, fields.into_iter().flatten()))
}

/// Handles an `AbortMultipartUpload`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>.
pub(crate) fn abort(world: &World, input: &Input) -> Result<Response, S3Error> {
    let removed = world.uploads().remove(&input.key, input.query.text("uploadId"));
    removed
        .map(|_upload| StatusCode::NO_CONTENT.into_response())
        .ok_or_else(S3Error::no_such_upload)
}
