//! Dispatch of the requests to the S3 simulator: determines the operation of a request, applies
//! fault rules and calls the handler.

use std::sync::Arc;

use axum::{
    body::HttpBody as _,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;
use sim_kit::Rule;

use crate::{
    error::{self, S3Error},
    input::Input,
    list, multipart,
    operation::Operation,
    payload::{self, ReceiveError},
    put,
    query::Query,
    serve,
    world::{S3Faults, World, runs_operation},
    xml,
};

/// Handles every request outside the admin interface.
pub(crate) async fn dispatch(world: Arc<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
    let query = Query::parse(parts.uri.query());
    let allowed = check_access(&world, bucket, &parts.headers)
        .map_err(|error| error.without_body(parts.method == Method::HEAD));
    let Some(operation) = Operation::of(&parts, &key, &query) else {
        return S3Error::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented").into_response();
    };
    world.traffic.called(operation);
    if operation == Operation::GetObject {
        return serve::get(&world, &key, &parts.headers, allowed).await;
    }
    let mut call = world.stage.call(operation.name(), &key);
    let body =
        match payload::receive(&world, (operation, &key), &parts.headers, body, &mut call).await {
            Ok(body) => body,
            Err(ReceiveError::Refused(error)) => return call.respond(error.into_response()),
            Err(ReceiveError::Disconnected) => return call.respond(sim_kit::break_connection()),
        };
    let rule = world.stage.faults.take(&[operation.name()], &key);
    world.stage.shaper.latency(&key).await;
    let input = Input { key, query, headers: parts.headers, body };
    let response = rule.as_ref().is_none_or(runs_operation).then(|| {
        let result = allowed.and_then(|()| handle(&world, operation, input));
        result.unwrap_or_else(IntoResponse::into_response)
    });
    let response = with_error_in_body(rule.as_ref(), response);
    let response = sim_kit::apply_rule(rule.as_ref(), response, error::scripted).await;
    world.traffic.sent(operation, response.body().size_hint().exact().unwrap_or_default());
    call.respond(response)
}

/// Carries out an operation.
fn handle(world: &World, operation: Operation, input: Input) -> Result<Response, S3Error> {
    match operation {
        Operation::HeadBucket => Ok(StatusCode::OK.into_response()),
        Operation::ListObjects => Ok(list::objects(world, &input.query)),
        // The body of a GET is streamed, so `dispatch` handles it itself.
        Operation::HeadObject | Operation::GetObject => {
            serve::head(world, &input.key, &input.headers)
        }
        Operation::DeleteObject => {
            world.objects().remove(&input.key);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Operation::PutObject => put::object(world, input),
        Operation::CreateMultipartUpload => multipart::create(world, &input),
        Operation::UploadPart => multipart::upload_part(world, input),
        Operation::UploadPartCopy => multipart::upload_part_copy(world, &input),
        Operation::ListMultipartUploads => multipart::list_uploads(world, &input),
        Operation::ListParts => multipart::list_parts(world, &input),
        Operation::CompleteMultipartUpload => multipart::complete(world, &input),
        Operation::AbortMultipartUpload => multipart::abort(world, &input),
    }
}

/// Replaces a response by an error with status 200, if the rule demands it. A copy and a completion
/// can fail so, because S3 sends the status before it works.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.
fn with_error_in_body(
    rule: Option<&Rule<S3Faults>>,
    response: Option<Response>,
) -> Option<Response> {
    let faults = rule.map(|rule| &rule.service_faults);
    let Some((faults, code)) =
        faults.and_then(|faults| Some((faults, faults.ok_with_error.as_ref()?)))
    else {
        return response;
    };
    // An error of the operation itself takes precedence, as in `apply_rule`.
    if response.as_ref().is_some_and(|response| !response.status().is_success()) {
        return response;
    }
    let document =
        error::document(code, Some("We encountered an internal error. Please try again."));
    Some(xml::response(StatusCode::OK, &format!("{}{document}", " ".repeat(faults.spaces))))
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
