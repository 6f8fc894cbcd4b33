//! Places in drives: paths that requests address, and their owners.

use http::StatusCode;

use crate::{
    address::{Owner, PathStart},
    drive::User,
    error::GraphError,
    world::State,
};

/// A path in a user's drive, whether or not an item exists there.
pub(crate) struct Place {
    pub(crate) user: User,
    pub(crate) path: Vec<String>,
}

impl Place {
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.user.upn, self.path.join("/"))
    }
}

pub(crate) fn owner_text(owner: &Owner) -> String {
    match owner {
        Owner::User(id) | Owner::Drive(id) => id.clone(),
    }
}

pub(crate) fn find_owner(state: &State, owner: &Owner) -> Result<User, GraphError> {
    let not_found = StatusCode::NOT_FOUND;
    match owner {
        Owner::User(id) => state.tree.user(id).cloned().ok_or_else(|| {
            let message = format!("Resource '{id}' does not exist.");
            GraphError::new(not_found, "Request_ResourceNotFound", message)
        }),
        Owner::Drive(id) => {
            state.tree.user_of_drive(id).cloned().ok_or_else(GraphError::item_not_found)
        }
    }
}

/// Returns the user, or Graph's error if the user has no drive.
pub(crate) fn require_drive(user: User) -> Result<User, GraphError> {
    let not_found = StatusCode::NOT_FOUND;
    match user.has_drive {
        true => Ok(user),
        false => Err(GraphError::new(not_found, "ResourceNotFound", "User's mysite not found.")),
    }
}

/// Resolves an item address to a user and a path from the root.
pub(crate) fn locate(
    state: &State,
    owner: &Owner,
    anchor: &PathStart,
    below: Vec<String>,
) -> Result<Place, GraphError> {
    let user = require_drive(find_owner(state, owner)?)?;
    let mut path = match anchor {
        PathStart::Root => Vec::new(),
        PathStart::Item(id) => {
            let item = state.tree.items.get(id).filter(|item| item.drive_id == user.drive_id);
            state.tree.path(&item.ok_or_else(GraphError::item_not_found)?.id)
        }
    };
    path.extend(below);
    Ok(Place { user, path })
}
