//! JSON representations of the resources that the Microsoft Graph simulator returns: users, drives
//! and items (files and folders).

use http::{HeaderMap, header::HOST};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    drive::{Item, Tree, User},
    names,
    world::{HashField, World},
};

/// Characters to percent-encode: all except the unreserved characters (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Formats a time as Graph does, in UTC with whole seconds.
pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns the base of the URLs in a response, with the host name that the client used. In a
/// container network, this host name may differ from that in `World::url`.
pub(crate) fn base(world: &World, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.map_or_else(|| world.url.clone(), |host| format!("http://{host}"))
}

/// Returns a user as Graph's `user`.
pub(crate) fn user(user: &User) -> Value {
    let name = user.upn.split('@').next().unwrap_or_default();
    json!({
        "id": user.id,
        "userPrincipalName": user.upn,
        "displayName": name,
        "mail": user.upn,
    })
}

/// Returns a user's drive as Graph's `drive`. `url` is the base URL of the simulator.
pub(crate) fn drive(tree: &Tree, url: &str, user: &User) -> Value {
    let used = tree.used_bytes(&user.drive_id);
    let remaining = user.quota.saturating_sub(used);
    let state = if remaining == 0 { "exceeded" } else { "normal" };
    json!({
        "id": user.drive_id,
        "driveType": "business",
        "name": "OneDrive",
        "webUrl": format!("{url}/personal/{}/Documents", account_segment(user)),
        "owner": { "user": { "id": user.id, "email": user.upn, "displayName": user.upn } },
        "quota": {
            "total": user.quota, "used": used, "remaining": remaining, "deleted": 0, "state": state
        },
    })
}

/// Returns the path segment that names the user in a web URL.
fn account_segment(user: &User) -> String {
    user.upn.to_lowercase().replace(['@', '.'], "_")
}

/// Returns the path percent-encoded for a URL.
fn encoded(path: &[String]) -> String {
    let segments = path.iter().map(|name| utf8_percent_encode(name, ENCODED).to_string());
    segments.collect::<Vec<_>>().join("/")
}

/// Returns an item as Graph's `driveItem`. `url` is the base URL of the simulator.
pub(crate) fn item(tree: &Tree, url: &str, item: &Item, hash_field: HashField) -> Value {
    let path = tree.path(&item.id);
    let owner = tree.user_of_drive(&item.drive_id);
    let version = item.file.as_ref().map_or(1, |file| file.versions);
    let guid = item.guid.to_string().to_uppercase();
    let (created, modified) = (date(item.created), date(item.modified));
    let (client_created, client_modified) =
        item.client_times.clone().unwrap_or_else(|| (created.clone(), modified.clone()));
    let account = owner.map(account_segment).unwrap_or_default();
    let mut value = json!({
        "id": item.id,
        "name": item.name,
        "size": size(tree, item),
        "eTag": format!("\"{{{guid}}},{version}\""),
        "cTag": format!("\"c:{{{guid}}},{version}\""),
        "webUrl": format!("{url}/personal/{account}/Documents/{}", encoded(&path)),
        "createdDateTime": created,
        "lastModifiedDateTime": modified,
        "fileSystemInfo": {
            "createdDateTime": client_created,
            "lastModifiedDateTime": client_modified,
        },
        "parentReference": { "driveType": "business", "driveId": item.drive_id },
    });
    match item.parent.as_ref().and_then(|id| tree.items.get(id)) {
        Some(parent) => {
            let folders = encoded(&path[..path.len().saturating_sub(1)]);
            let slash = if folders.is_empty() { "" } else { "/" };
            value["parentReference"]["id"] = parent.id.clone().into();
            value["parentReference"]["name"] = parent.name.clone().into();
            value["parentReference"]["path"] =
                format!("/drives/{}/root:{slash}{folders}", item.drive_id).into();
        }
        None => value["root"] = json!({}),
    }
    match &item.file {
        Some(file) => {
            value["file"] = json!({ "mimeType": names::mime_type(&item.name) });
            if hash_field == HashField::Present {
                let hash = match file.reports_wrong_hash {
                    true => wrong_hash(&file.content.hashes.quick_xor()),
                    false => file.content.hashes.quick_xor(),
                };
                value["file"]["hashes"] = json!({ "quickXorHash": hash });
            }
        }
        None => value["folder"] = json!({ "childCount": tree.children(&item.id).count() }),
    }
    value
}

/// Returns the size of a file, or the size of all files below a folder.
fn size(tree: &Tree, item: &Item) -> u64 {
    match &item.file {
        Some(file) => file.content.size,
        None => tree.children(&item.id).map(|child| size(tree, child)).sum(),
    }
}

/// Returns a well-formed hash that differs from the given one in its first letter.
pub(crate) fn wrong_hash(hash: &str) -> String {
    let first = if hash.starts_with('A') { "B" } else { "A" };
    format!("{first}{}", hash.get(1..).unwrap_or_default())
}
