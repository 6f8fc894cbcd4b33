//! Parser for request paths of the Microsoft Graph simulator, such as
//! `users/{id}/drive/root:/{path}:/content`.
//!
//! A request path has three parts: the *owner* of a drive, the *target* (a user, a drive or an
//! item), and an optional *action* such as `content`. An item is a file or folder. Its address is a
//! path of names from an *anchor*, which is the root of the drive or an item with a given id. A
//! *UPN* (user principal name) is the sign-in name of a user.

use percent_encoding::percent_decode_str;

use crate::error::GraphError;

/// Owner of the addressed drive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// User, by id or UPN.
    User(String),
    /// Drive, by id.
    Drive(String),
}

/// Start of the path to an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PathStart {
    /// Root folder of the drive.
    Root,
    /// Item with this id.
    Item(String),
}

/// Resource that a path under `/v1.0` addresses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User,
    Drive,
    /// A file or folder.
    Item {
        /// Item at which the path starts.
        anchor: PathStart,
        /// Decoded names on the path from `anchor` to the item.
        path: Vec<String>,
        /// Text after the path, such as `content` or `children`.
        action: Option<String>,
    },
}

/// Parses the part of a request path after `/v1.0/`, which is still percent-encoded.
///
/// Each segment is decoded separately. So an encoded slash becomes part of a name, which the check
/// of names then rejects.
pub(crate) fn parse(raw_path: &str) -> Result<(Owner, Target), GraphError> {
    let (owner, below_owner) = parse_owner(raw_path)?;
    let in_drive = match (&owner, below_owner) {
        (Owner::User(_), "") => return Ok((owner, Target::User)),
        (Owner::User(_), "drive") | (Owner::Drive(_), "") => return Ok((owner, Target::Drive)),
        (Owner::User(_), below_user) => {
            below_user.strip_prefix("drive/").ok_or_else(unknown_resource)?
        }
        (Owner::Drive(_), below_drive) => below_drive,
    };
    Ok((owner, parse_item(in_drive)?))
}

/// Parses the owner at the start of a path. Returns the owner and the rest of the path.
///
/// A user is `users/{id}`, `users('{id}')` or `users/('{id}')`, and a drive is `drives/{id}`.
fn parse_owner(raw_path: &str) -> Result<(Owner, &str), GraphError> {
    if let Some(quoted) = raw_path.strip_prefix("users('") {
        let (id, below) = quoted.split_once("')").ok_or_else(unknown_resource)?;
        return Ok((Owner::User(decode(id)?), below.strip_prefix('/').unwrap_or(below)));
    }
    let (collection, id_and_below) = raw_path.split_once('/').ok_or_else(unknown_resource)?;
    let (id, below) = id_and_below.split_once('/').unwrap_or((id_and_below, ""));
    let id = decode(id)?;
    match collection {
        // Graph parses an unquoted id that starts with `$` as a function call.
        "users" if id.starts_with('$') => Err(unknown_resource()),
        "users" => match id.strip_prefix("('").and_then(|id| id.strip_suffix("')")) {
            Some(unquoted) => Ok((Owner::User(unquoted.to_owned()), below)),
            None => Ok((Owner::User(id), below)),
        },
        "drives" => Ok((Owner::Drive(id), below)),
        _ => Err(unknown_resource()),
    }
}

/// Parses the address of an item within a drive: `root` or `items/{id}`, then optionally a path
/// between colons (`:/{path}:`), then optionally an action (`/{action}`).
fn parse_item(in_drive: &str) -> Result<Target, GraphError> {
    let (anchor, below_anchor) = if let Some(id_and_below) = in_drive.strip_prefix("items/") {
        let id_end = id_and_below.find([':', '/']).unwrap_or(id_and_below.len());
        let (id, below_anchor) = id_and_below.split_at(id_end);
        let id = decode(id)?;
        (if id == "root" { PathStart::Root } else { PathStart::Item(id) }, below_anchor)
    } else {
        (PathStart::Root, in_drive.strip_prefix("root").ok_or_else(unknown_resource)?)
    };
    let (path, action) = match below_anchor.strip_prefix(":/") {
        Some(path_and_action) => path_and_action.split_once(':').unwrap_or((path_and_action, "")),
        None => ("", below_anchor.strip_prefix(':').unwrap_or(below_anchor)),
    };
    let path = match path.strip_suffix('/').unwrap_or(path) {
        "" => Vec::new(),
        path => path.split('/').map(decode).collect::<Result<_, _>>()?,
    };
    let action = match action.strip_prefix('/') {
        Some(action) => Some(action.to_owned()),
        None if action.is_empty() => None,
        None => return Err(unknown_resource()),
    };
    Ok(Target::Item { anchor, path, action })
}

/// Decodes a percent-encoded text.
fn decode(raw: &str) -> Result<String, GraphError> {
    percent_decode_str(raw)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| GraphError::invalid("The path is not UTF-8."))
}

fn unknown_resource() -> GraphError {
    GraphError::new(
        http::StatusCode::BAD_REQUEST,
        "BadRequest",
        "Resource not found for the segment.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the path and the action of an item's address.
    fn path_and_action(raw_path: &str) -> (String, Option<String>) {
        match parse(raw_path).unwrap() {
            (_, Target::Item { path, action, .. }) => (path.join("|"), action),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn path_segments_are_decoded_separately() {
        assert_eq!(
            path_and_action("users/a@b/drive/root:/one%20two/%C3%A9%2Ff.pdf:/createUploadSession"),
            ("one two|é/f.pdf".to_owned(), Some("createUploadSession".to_owned()))
        );
        assert_eq!(path_and_action("drives/x/root:/a"), ("a".to_owned(), None));
        assert_eq!(path_and_action("drives/x/root:/a:"), ("a".to_owned(), None));
        assert_eq!(
            path_and_action("drives/x/root/children"),
            (String::new(), Some("children".to_owned()))
        );
    }

    #[test]
    fn item_is_addressed_by_path_below_an_item_id() {
        let (owner, target) = parse("drives/d/items/01A:/b.pdf:/content").unwrap();
        assert_eq!(owner, Owner::Drive("d".to_owned()));
        let Target::Item { anchor, path, action } = target else { panic!() };
        assert_eq!(anchor, PathStart::Item("01A".to_owned()));
        assert_eq!((path, action.as_deref()), (vec!["b.pdf".to_owned()], Some("content")));
    }

    #[test]
    fn upn_starting_with_dollar_must_be_in_parentheses() {
        assert!(parse("users/$a@b/drive").is_err());
        let (owner, target) = parse("users('$a@b')/drive").unwrap();
        assert_eq!((owner, target), (Owner::User("$a@b".to_owned()), Target::Drive));
    }
}
