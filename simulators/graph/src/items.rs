//! Requests of the Microsoft Graph simulator for items (files and folders): get, download, list,
//! create a folder, change and delete.
//!
//! The module `service` resolves the address of an item to a [`Place`], which is a user and a path
//! in the user's drive. Then it calls one of these functions.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE},
};
use serde_json::{Value, json};

use crate::{
    destination::Conflict,
    drive::{Item, Tree},
    error::GraphError,
    names,
    place::Place,
    render,
    world::{HashField, Rule, World},
};

/// Returns the item at a place.
fn find<'a>(tree: &'a Tree, place: &Place) -> Result<&'a Item, GraphError> {
    tree.find(&place.user.root_id, &place.path).ok_or_else(GraphError::item_not_found)
}

/// Handles `GET` of an item.
pub(crate) fn get(
    world: &World,
    place: &Place,
    rule: Option<&Rule>,
) -> Result<Response, GraphError> {
    let state = world.state();
    let item = find(&state.tree, place)?;
    let hash_field = rule.map_or(HashField::Present, |rule| rule.service_faults.hash_field());
    let mut body = render::item(&state.tree, &world.url, item, hash_field);
    if rule.is_some_and(|rule| rule.service_faults.corrupt_hash)
        && let Some(hash) = body.pointer_mut("/file/hashes/quickXorHash")
    {
        *hash = render::wrong_hash(hash.as_str().unwrap_or_default()).into();
    }
    Ok(sim_kit::json(StatusCode::OK, &body))
}

/// Handles `GET …/content`: redirects to the download URL of the file. That URL contains a
/// credential, so a request to it needs no bearer token.
pub(crate) fn content(
    world: &World,
    place: &Place,
    headers: &HeaderMap,
) -> Result<Response, GraphError> {
    let state = world.state();
    let item = find(&state.tree, place)?;
    if item.file.is_none() {
        return Err(GraphError::item_not_found());
    }
    let base = render::base(world, headers);
    let address = format!("{base}/download/{}?{}", item.id, download_credential(item));
    Ok((StatusCode::FOUND, [(LOCATION, address)]).into_response())
}

/// Returns the query string of an item's download URL. It is the credential for the download.
fn download_credential(item: &Item) -> String {
    format!("UniqueId={}&tempauth=v1.{}", item.guid, item.guid.simple())
}

/// Handles `GET` of a download URL. Returns the whole content, or the range that the request names.
pub(crate) fn download(
    world: &World,
    id: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, GraphError> {
    let state = world.state();
    let item = state.tree.items.get(id).ok_or_else(GraphError::item_not_found)?;
    let file = item.file.as_ref().ok_or_else(GraphError::item_not_found)?;
    if query != Some(download_credential(item).as_str()) {
        return Err(GraphError::unauthenticated("The address's credential is not valid."));
    }
    let size = file.content.size;
    let mime = names::mime_type(&item.name);
    let requested_range = headers.get(RANGE).map(|range| range.to_str().unwrap_or_default());
    let Some(requested_range) = requested_range else {
        let mut response = sim_kit::text(StatusCode::OK, mime, file.content.stream());
        response.headers_mut().insert(CONTENT_LENGTH, size.into());
        return Ok(response);
    };
    let range = requested_range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (first, last): (u64, u64) =
        bounds.filter(|(first, last)| first <= last && *first < size).ok_or_else(|| {
            let message = format!("The content has {size} bytes.");
            GraphError::new(StatusCode::RANGE_NOT_SATISFIABLE, "invalidRange", message)
        })?;
    let last = last.min(size - 1);
    let bytes = file.content.read_range(first, last + 1)?;
    let mut response = sim_kit::text(StatusCode::PARTIAL_CONTENT, mime, bytes);
    let content_range = HeaderValue::try_from(format!("bytes {first}-{last}/{size}"));
    response.headers_mut().extend(content_range.ok().map(|value| (CONTENT_RANGE, value)));
    Ok(response)
}

/// Handles `GET …/children`: lists the items directly in a folder.
pub(crate) fn children(world: &World, place: &Place) -> Result<Response, GraphError> {
    let state = world.state();
    let folder = find(&state.tree, place)?;
    let mut items: Vec<_> = state.tree.children(&folder.id).collect();
    items.sort_by(|left, right| left.name.cmp(&right.name));
    let items: Vec<_> = items
        .into_iter()
        .map(|item| render::item(&state.tree, &world.url, item, HashField::Present))
        .collect();
    Ok(sim_kit::json(StatusCode::OK, &json!({ "value": items })))
}

fn parse_object(body: &[u8]) -> Result<Value, GraphError> {
    serde_json::from_slice(body)
        .map_err(|error| GraphError::invalid(format!("The body is malformed: {error}")))
}

/// Handles `POST …/children`: creates a folder.
pub(crate) fn create_folder(
    world: &World,
    place: &Place,
    body: &[u8],
) -> Result<Response, GraphError> {
    let body = parse_object(body)?;
    let name = body["name"].as_str().filter(|_| body["folder"].is_object());
    let name = name.ok_or_else(|| GraphError::invalid("Only folders are created here."))?;
    let conflict = body["@microsoft.graph.conflictBehavior"].as_str().unwrap_or("fail");
    let conflict = Conflict::parse(conflict)?;
    let mut path = place.path.clone();
    path.push(name.to_owned());
    names::check_path(&path)?;

    let mut state = world.state();
    let parent = find(&state.tree, place)?.id.clone();
    if let Some(existing) = state.tree.child(&parent, name) {
        match conflict {
            Conflict::Replace if existing.file.is_none() => {}
            Conflict::Rename => {
                let free_name = (1..)
                    .map(|number| format!("{name} {number}"))
                    .find(|name| state.tree.child(&parent, name).is_none());
                path.pop();
                path.extend(free_name);
            }
            _ => return Err(GraphError::name_exists()),
        }
    }
    let id = state.tree.make_folders(&place.user, &path)?;
    let item = state.tree.items.get(&id).ok_or_else(GraphError::item_not_found)?;
    let body = render::item(&state.tree, &world.url, item, HashField::Present);
    Ok(sim_kit::json(StatusCode::CREATED, &body))
}

/// Handles `PATCH` of an item: renames it and sets the times that clients see. The simulator does
/// not move an item to a different folder.
pub(crate) fn change(world: &World, place: &Place, body: &[u8]) -> Result<Response, GraphError> {
    let body = parse_object(body)?;
    let mut state = world.state();
    let id = find(&state.tree, place)?.id.clone();
    if let Some(name) = body["name"].as_str() {
        let (_, folders) = place
            .path
            .split_last()
            .ok_or_else(|| GraphError::invalid("A root cannot be renamed."))?;
        names::check_path(&[folders, &[name.to_owned()]].concat())?;
        let parent = find(&state.tree, place)?.parent.clone().unwrap_or_default();
        if state.tree.child(&parent, name).is_some_and(|other| other.id != id) {
            return Err(GraphError::name_exists());
        }
    }
    if let Some(item) = state.tree.items.get_mut(&id) {
        if let Some(name) = body["name"].as_str() {
            name.clone_into(&mut item.name);
        }
        let time = |name: &str| body["fileSystemInfo"][name].as_str().map(str::to_owned);
        if let Some(modified) = time("lastModifiedDateTime") {
            let created = time("createdDateTime").unwrap_or_else(|| render::date(item.created));
            item.client_times = Some((created, modified));
        }
    }
    let item = state.tree.items.get(&id).ok_or_else(GraphError::item_not_found)?;
    let body = render::item(&state.tree, &world.url, item, HashField::Present);
    Ok(sim_kit::json(StatusCode::OK, &body))
}

/// Handles `DELETE` of an item.
pub(crate) fn delete(world: &World, place: &Place) -> Result<Response, GraphError> {
    let mut state = world.state();
    let item = find(&state.tree, place)?;
    if item.parent.is_none() {
        return Err(GraphError::invalid("A root cannot be deleted."));
    }
    let id = item.id.clone();
    state.tree.remove(&id);
    Ok(StatusCode::NO_CONTENT.into_response())
}
