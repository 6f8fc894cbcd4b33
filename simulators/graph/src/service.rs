//! Dispatch of the requests to the Microsoft Graph simulator. It determines the operation of a
//! request and calls the handler of the operation.
//!
//! *Fault rules* make chosen requests fail. They select requests by the name of the operation and
//! by the *subject*, which is the user and the path of the request. `World::stage` applies the
//! rules.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use http_body_util::{BodyExt as _, Limited};

use crate::{
    address::{self, Owner, Target},
    error::{self, GraphError},
    fragment, items,
    place::{Place, find_owner, locate, owner_text, require_drive},
    simple, token, upload,
    world::{Rule, World},
};

/// Maximum body size in bytes of a request that uploads no file.
const MAX_SMALL_BODY: usize = 256 * 1024;

/// Handles every request outside the admin interface.
pub(crate) async fn dispatch(world: Arc<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if let Some(id) = path.strip_prefix("/upload/") {
        return dispatch_session(&world, id, &parts, body).await;
    }
    if let Some(id) = path.strip_prefix("/download/") {
        return dispatch_download(&world, id, &parts).await;
    }
    // A client with a tenant's URL as its base URL sends the same requests below `/_api`.
    let graph_path = path.strip_prefix("/v1.0/").or_else(|| path.strip_prefix("/_api/v2.0/"));
    if let Some(graph_path) = graph_path {
        return match address::parse(graph_path) {
            Ok((owner, target)) => dispatch_graph(&world, &owner, target, &parts, body).await,
            Err(error) => error.into_response(),
        };
    }
    let tenant = path.strip_suffix("/oauth2/v2.0/token").and_then(|path| path.strip_prefix('/'));
    match (tenant, read_small_body(body).await) {
        (Some(tenant), Ok(body)) if parts.method == Method::POST => {
            token::issue(&world, tenant, &parts.headers, &body).await
        }
        (_, Err(error)) => error.into_response(),
        _ => no_such_resource().into_response(),
    }
}

/// Handles a request to an upload URL.
async fn dispatch_session(world: &World, id: &str, parts: &Parts, body: Body) -> Response {
    match parts.method {
        Method::PUT => fragment::put(world, id, parts, body).await,
        Method::GET => upload::status(world, id, parts.uri.query()).await,
        Method::DELETE => upload::delete(world, id, parts.uri.query()).await,
        _ => no_such_resource().into_response(),
    }
}

/// Handles a request to a download URL.
async fn dispatch_download(world: &World, id: &str, parts: &Parts) -> Response {
    if parts.method != Method::GET {
        return no_such_resource().into_response();
    }
    let subject = {
        let state = world.state();
        let owner =
            state.tree.items.get(id).and_then(|item| state.tree.user_of_drive(&item.drive_id));
        owner.map(|user| format!("{} {}", user.upn, state.tree.path(id).join("/")))
    };
    let handle = async |_rule| {
        items::download(world, id, parts.uri.query(), &parts.headers)
            .unwrap_or_else(IntoResponse::into_response)
    };
    let subject = subject.unwrap_or_default();
    world.stage.run("download", &subject, error::scripted, handle).await
}

/// Handles a request for a user, a drive or an item.
async fn dispatch_graph(
    world: &World,
    owner: &Owner,
    target: Target,
    parts: &Parts,
    body: Body,
) -> Response {
    let (anchor, path, action) = match target {
        Target::User => return get_user(world, owner, &parts.headers).await,
        Target::Drive => return get_drive(world, owner, &parts.headers).await,
        Target::Item { anchor, path, action } => (anchor, path, action),
    };
    let place = locate(&world.state(), owner, &anchor, path);
    let subject = place.as_ref().map_or_else(|_| owner_text(owner), Place::subject);
    let place = token::check(world, &parts.headers).and(place);

    let operation = match (parts.method.as_str(), action.as_deref()) {
        ("PUT", Some("content")) => return simple::put(world, &subject, place, parts, body).await,
        ("POST", Some("createUploadSession")) => "createSession",
        ("GET", Some("content")) => "getContent",
        ("GET", Some("children")) => "listChildren",
        ("POST", Some("children")) | ("PATCH", None) => "changeItem",
        ("GET", None) => "getItem",
        ("DELETE", None) => "deleteItem",
        _ => return no_such_resource().into_response(),
    };
    let body = match read_small_body(body).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    // The operation `changeItem` stands for two requests: the creation of a folder and the change
    // of an item. Only the creation has an action.
    let creates_folder = action.is_some();
    let handle = async |rule: Option<Rule>| {
        let response = place.and_then(|place| match operation {
            "createSession" => {
                upload::create(world, &place.user, &place.path, &parts.headers, &body)
            }
            "getContent" => items::content(world, &place, &parts.headers),
            "listChildren" => items::children(world, &place),
            "changeItem" if creates_folder => items::create_folder(world, &place, &body),
            "changeItem" => items::change(world, &place, &body),
            "deleteItem" => items::delete(world, &place),
            _ => items::get(world, &place, rule.as_ref()),
        });
        response.unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run(operation, &subject, error::scripted, handle).await
}

async fn get_user(world: &World, owner: &Owner, headers: &HeaderMap) -> Response {
    let user = find_owner(&world.state(), owner);
    let subject = user.as_ref().map_or_else(|_| owner_text(owner), |user| user.upn.clone());
    let user = token::check(world, headers).and(user);
    let handle = async |_rule| match user {
        Ok(user) => sim_kit::json(http::StatusCode::OK, &crate::render::user(&user)),
        Err(error) => error.into_response(),
    };
    world.stage.run("getUser", &subject, error::scripted, handle).await
}

async fn get_drive(world: &World, owner: &Owner, headers: &HeaderMap) -> Response {
    let user = find_owner(&world.state(), owner);
    let subject = user.as_ref().map_or_else(|_| owner_text(owner), |user| user.upn.clone());
    let user = token::check(world, headers).and(user).and_then(require_drive);
    let handle = async |_rule| match user {
        Ok(user) => {
            let body = crate::render::drive(&world.state().tree, &world.url, &user);
            sim_kit::json(http::StatusCode::OK, &body)
        }
        Err(error) => error.into_response(),
    };
    world.stage.run("getDrive", &subject, error::scripted, handle).await
}

/// Reads the body of a request that uploads no file.
async fn read_small_body(body: Body) -> Result<Bytes, GraphError> {
    match Limited::new(body, MAX_SMALL_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(GraphError::invalid("The body is broken or too large.")),
    }
}

fn no_such_resource() -> GraphError {
    GraphError::new(http::StatusCode::NOT_FOUND, "BadRequest", "No such resource or method.")
}
