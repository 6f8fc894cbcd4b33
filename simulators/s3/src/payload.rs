//! Request bodies of the S3 simulator: receives them, and checks them against the length and the
//! checksums in the headers.

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use sim_kit::Call;

use crate::{
    checksum, chunked, content::Content, error::S3Error, object::hex, operation::Operation,
    world::World,
};

/// Maximum size of an object that is put, and of a part.
///
/// Limits: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub(crate) const MAX_SIZE: u64 = 5 << 30;
/// Maximum capacity that is reserved before the body has arrived.
const RESERVED: u64 = 64 << 20;

/// Error while a body is received.
pub(crate) enum ReceiveError {
    /// The client broke the connection.
    Disconnected,
    /// The body is refused before it is read.
    Refused(S3Error),
}

/// Receives the body of a request as it is transmitted, through the shaped line of its key.
pub(crate) async fn receive(
    world: &World,
    (operation, key): (Operation, &str),
    headers: &HeaderMap,
    mut body: Body,
    call: &mut Call,
) -> Result<Bytes, ReceiveError> {
    let declared = length(headers, "x-amz-decoded-content-length")
        .or_else(|| length(headers, CONTENT_LENGTH.as_str()));
    if declared.is_some_and(|declared| declared > MAX_SIZE) {
        return Err(ReceiveError::Refused(S3Error::bad_request(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )));
    }
    let reserved = usize::try_from(declared.unwrap_or_default().min(RESERVED)).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(reserved);
    let mut line = world.stage.shaper.line(key);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| ReceiveError::Disconnected)?;
        if let Ok(data) = frame.into_data() {
            line.pass(data.len()).await;
            call.count(data.len());
            world.traffic.received(operation, data.len());
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// A checked body.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) content: Content,
    /// CRC-32 that the client has sent, and that equals the one of the bytes.
    pub(crate) crc: Option<u32>,
}

/// Decodes the body of an upload and checks it.
pub(crate) fn check(headers: &HeaderMap, body: Bytes) -> Result<Payload, S3Error> {
    let (bytes, trailers) = decode(headers, body)?;
    check_digests(headers, &bytes)?;
    let crc = claimed_crc(headers, &trailers)?;
    let content = Content::stored(bytes);
    if crc.is_some_and(|crc| crc != content.crc().value) {
        return Err(checksum::bad_digest());
    }
    Ok(Payload { content, crc })
}

/// Returns the bytes without their transmission encoding, and the trailers.
fn decode(headers: &HeaderMap, body: Bytes) -> Result<(Bytes, HeaderMap), S3Error> {
    let starts_with = |name: &str, start: &str| {
        checksum::text(headers, name).is_some_and(|value| value.starts_with(start))
    };
    let is_chunked = checksum::text(headers, CONTENT_ENCODING.as_str())
        .is_some_and(|value| value.split(',').any(|encoding| encoding.trim() == "aws-chunked"))
        || starts_with("x-amz-content-sha256", "STREAMING-");
    let length_header =
        if is_chunked { "x-amz-decoded-content-length" } else { CONTENT_LENGTH.as_str() };
    let Some(expected) = length(headers, length_header) else {
        return Err(S3Error::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength"));
    };
    let incomplete = || {
        let message = "The request body terminated unexpectedly";
        S3Error::bad_request("IncompleteBody", message)
    };
    let (bytes, trailers) = if is_chunked {
        let decoded = chunked::decode(&body).ok_or_else(incomplete)?;
        (decoded.bytes, decoded.trailers)
    } else {
        (body, HeaderMap::new())
    };
    if bytes.len() as u64 == expected { Ok((bytes, trailers)) } else { Err(incomplete()) }
}

/// Checks the MD5 and the SHA-256 of the headers, if there are any.
fn check_digests(headers: &HeaderMap, bytes: &Bytes) -> Result<(), S3Error> {
    if let Some(claimed) = checksum::text(headers, "content-md5") {
        let claimed = STANDARD.decode(claimed).ok().filter(|digest| digest.len() == 16);
        let claimed = claimed.ok_or_else(|| {
            S3Error::bad_request("InvalidDigest", "The Content-MD5 you specified was invalid.")
        })?;
        if claimed != Md5::digest(bytes).as_slice() {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(S3Error::bad_request("BadDigest", message));
        }
    }
    match checksum::text(headers, "x-amz-content-sha256") {
        Some(claimed) if claimed.len() == 64 && claimed != hex(&Sha256::digest(bytes)) => {
            Err(S3Error::bad_request(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ))
        }
        _ => Ok(()),
    }
}

/// Returns the CRC-32 from the header, or from the trailer that `x-amz-trailer` announces.
fn claimed_crc(headers: &HeaderMap, trailers: &HeaderMap) -> Result<Option<u32>, S3Error> {
    if let Some(crc) = checksum::claimed(headers)? {
        return Ok(Some(crc));
    }
    if let Some(announced) = checksum::text(headers, "x-amz-trailer") {
        if !announced.eq_ignore_ascii_case(checksum::CRC32_HEADER) {
            let message = format!("the trailer {announced} is not simulated");
            return Err(S3Error::not_implemented(&message));
        }
        return match checksum::claimed(trailers)? {
            Some(crc) => Ok(Some(crc)),
            None => Err(S3Error::bad_request(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform \
                 to our published schema.",
            )),
        };
    }
    if headers.contains_key("x-amz-sdk-checksum-algorithm") {
        return Err(S3Error::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
             x-amz-trailer headers were found.",
        ));
    }
    Ok(None)
}

fn length(headers: &HeaderMap, name: &str) -> Option<u64> {
    checksum::text(headers, name)?.parse().ok()
}
