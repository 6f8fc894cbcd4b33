//! Looking at items and changing them.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header::CONTENT_LENGTH};
use serde_json::{Value, json};

use crate::{
    drive::{Conflict, Item, Tree},
    error::GraphError,
    names, render,
    service::Place,
    world::{Rule, World},
};

fn find<'a>(tree: &'a Tree, place: &Place) -> Result<&'a Item, GraphError> {
    tree.find(&place.user.root_id, &place.path).ok_or_else(GraphError::item_not_found)
}

pub(crate) fn get(
    world: &World,
    place: &Place,
    rule: Option<&Rule>,
) -> Result<Response, GraphError> {
    let state = world.state();
    let item = find(&state.tree, place)?;
    let with_hash = !rule.is_some_and(|rule| rule.extra.no_hash);
    let mut body = render::item(&state.tree, &world.url, item, with_hash);
    if rule.is_some_and(|rule| rule.extra.corrupt_hash)
        && let Some(hash) = body.pointer_mut("/file/hashes/quickXorHash")
    {
        *hash = render::wrong(hash.as_str().unwrap_or_default()).into();
    }
    Ok(sim_kit::json(StatusCode::OK, &body))
}

/// The real service redirects to a download address; here the bytes come at once.
pub(crate) fn content(world: &World, place: &Place) -> Result<Response, GraphError> {
    let state = world.state();
    let item = find(&state.tree, place)?;
    let file = item.file.as_ref().ok_or_else(GraphError::item_not_found)?;
    let body = file.content.stream();
    let mut response = sim_kit::text(StatusCode::OK, names::mime_type(&item.name), body);
    response.headers_mut().insert(CONTENT_LENGTH, file.content.size.into());
    Ok(response)
}

pub(crate) fn children(world: &World, place: &Place) -> Result<Response, GraphError> {
    let state = world.state();
    let folder = find(&state.tree, place)?;
    let mut items: Vec<_> = state.tree.children(&folder.id).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    let items: Vec<_> =
        items.into_iter().map(|item| render::item(&state.tree, &world.url, item, true)).collect();
    Ok(sim_kit::json(StatusCode::OK, &json!({ "value": items })))
}

fn object(body: &[u8]) -> Result<Value, GraphError> {
    serde_json::from_slice(body)
        .map_err(|error| GraphError::invalid(format!("The body is malformed: {error}")))
}

pub(crate) fn create_folder(
    world: &World,
    place: &Place,
    body: &[u8],
) -> Result<Response, GraphError> {
    let body = object(body)?;
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
                let free = (1..)
                    .map(|number| format!("{name} {number}"))
                    .find(|name| state.tree.child(&parent, name).is_none());
                path.pop();
                path.extend(free);
            }
            _ => return Err(GraphError::name_exists()),
        }
    }
    let id = state.tree.make_folders(&place.user, &path)?;
    let item = state.tree.items.get(&id).ok_or_else(GraphError::item_not_found)?;
    let body = render::item(&state.tree, &world.url, item, true);
    Ok(sim_kit::json(StatusCode::CREATED, &body))
}

/// Renames an item and sets the times a client wants shown; moving is not simulated.
pub(crate) fn change(world: &World, place: &Place, body: &[u8]) -> Result<Response, GraphError> {
    let body = object(body)?;
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
    let body = render::item(&state.tree, &world.url, item, true);
    Ok(sim_kit::json(StatusCode::OK, &body))
}

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
