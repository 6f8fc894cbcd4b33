//! Dispatch of the requests to the S3 simulator: determines the operation of a request and calls
//! its handler.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION, request::Parts};
use percent_encoding::percent_decode_str;

use crate::{
    error::{self, S3Error},
    list, serve,
    world::World,
};

/// Handles every request outside the admin interface.
pub(crate) async fn dispatch(world: Arc<World>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
    let allowed = check_access(&world, bucket, &parts.headers)
        .map_err(|error| error.without_body(parts.method == Method::HEAD));
    let operation = match (&parts.method, key.is_empty()) {
        (&Method::GET, false) => return serve::get(&world, &key, &parts.headers, allowed).await,
        (&Method::HEAD, false) => "headObject",
        (&Method::DELETE, false) => "deleteObject",
        (&Method::HEAD, true) => "headBucket",
        (&Method::GET, true) if is_list_request(&parts) => "listObjects",
        _ => return S3Error::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented").into_response(),
    };
    let handle = async |_rule| {
        let response = allowed.and_then(|()| match operation {
            "headObject" => serve::head(&world, &key, &parts.headers),
            "listObjects" => Ok(list::objects(&world, parts.uri.query().unwrap_or_default())),
            "deleteObject" => {
                world.objects().remove(&key);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            _ => Ok(empty(StatusCode::OK)),
        });
        response.unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run(operation, &key, error::scripted, handle).await
}

/// Returns whether the request lists objects. Other queries of a bucket (`?location`,
/// `?versioning`, …) are not supported.
fn is_list_request(parts: &Parts) -> bool {
    let known = ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];
    parts.uri.query().is_none_or(|query| {
        query.split('&').any(|pair| known.contains(&pair.split('=').next().unwrap_or_default()))
    })
}

/// Checks the access key and the bucket. The signature itself is not checked.
fn check_access(world: &World, bucket: &str, headers: &HeaderMap) -> Result<(), S3Error> {
    let signed = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = signed
        .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 Credential="))
        .and_then(|rest| rest.split('/').next());
    match key {
        None => Err(S3Error::new(StatusCode::FORBIDDEN, "AccessDenied")),
        Some(key) if key != world.config.access_key => {
            Err(S3Error::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId"))
        }
        Some(_) if bucket != world.config.bucket => {
            Err(S3Error::new(StatusCode::NOT_FOUND, "NoSuchBucket"))
        }
        Some(_) => Ok(()),
    }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
