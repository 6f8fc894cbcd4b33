//! Resolution of addresses in the Microsoft Graph simulator. An *address* in a request names a user
//! or drive, and an item by its id or path. It is resolved to a [`Place`]: a user, and a path in
//! the user's drive.

use http::StatusCode;

use crate::{
    address::{Owner, PathStart},
    drive::User,
    error::GraphError,
    world::State,
};

/// A path in a user's drive. An item may or may not exist there.
pub(crate) struct Place {
    pub(crate) user: User,
    pub(crate) path: Vec<String>,
}

impl Place {
    /// Returns the subject of requests for this place: the user and the path. Fault rules, which
    /// make chosen requests fail, select requests by it.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.user.upn, self.path.join("/"))
    }
}

/// Returns the id or the UPN (sign-in name) in the address. If there is no such owner, this text is
/// the subject of the request.
pub(crate) fn owner_text(owner: &Owner) -> String {
    match owner {
        Owner::User(id) | Owner::Drive(id) => id.clone(),
    }
}

/// Returns the user that owns the addressed drive.
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

/// Returns the user unchanged, or the error of Graph for a user without a drive.
pub(crate) fn require_drive(user: User) -> Result<User, GraphError> {
    let not_found = StatusCode::NOT_FOUND;
    match user.has_drive {
        true => Ok(user),
        false => Err(GraphError::new(not_found, "ResourceNotFound", "User's mysite not found.")),
    }
}

/// Resolves the address of an item to a user and a path from the root of the user's drive.
///
/// `below` is the path from `anchor` to the item.
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
