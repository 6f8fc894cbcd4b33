//! `PutObject` of the S3 simulator, and the conditions under which an object may be written.

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, StatusCode,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH},
};

use crate::{
    checksum::{Checksum, ChecksumType, text},
    error::S3Error,
    input::Input,
    object::{Metadata, Object, etag_of, same_etag},
    payload,
    world::World,
};

/// Handles a `PutObject`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
pub(crate) fn object(world: &World, input: Input) -> Result<Response, S3Error> {
    let Input { key, headers, body, .. } = input;
    let payload = payload::check(&headers, body)?;
    if ChecksumType::from_headers(&headers)? == Some(ChecksumType::Composite) {
        return Err(S3Error::invalid_request("A put object has a full object checksum."));
    }
    let etag = etag_of(&payload.content.digest());
    let mut object = Object::new(payload.content, etag.clone(), Metadata::of_request(&headers));
    object.checksum = payload.crc.map(Checksum::full_object);

    let mut fields = vec![(ETAG.as_str(), etag)];
    fields.extend(object.checksum.iter().flat_map(Checksum::headers));
    let mut objects = world.objects();
    check_conditions(&headers, objects.get(&key))?;
    objects.insert(key, object);
    drop(objects);
    Ok(with_headers(StatusCode::OK.into_response(), fields))
}

/// Checks `If-Match` and `If-None-Match` of a request that writes an object.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
pub(crate) fn check_conditions(
    headers: &HeaderMap,
    current: Option<&Object>,
) -> Result<(), S3Error> {
    match (text(headers, IF_NONE_MATCH.as_str()), current) {
        (Some("*"), Some(_)) => return Err(S3Error::precondition_failed()),
        (Some("*") | None, _) => {}
        (Some(_), _) => {
            return Err(S3Error::not_implemented("If-None-Match of a write is only `*`"));
        }
    }
    match (text(headers, IF_MATCH.as_str()), current) {
        (Some(_), None) => Err(S3Error::no_such_key()),
        (Some(tag), Some(object)) if !same_etag(tag, &object.etag) => {
            Err(S3Error::precondition_failed())
        }
        _ => Ok(()),
    }
}

/// Adds headers to a response.
pub(crate) fn with_headers(
    mut response: Response,
    fields: impl IntoIterator<Item = (&'static str, String)>,
) -> Response {
    for (name, value) in fields {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
