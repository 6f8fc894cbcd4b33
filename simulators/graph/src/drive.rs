//! Users of the Microsoft Graph simulator, their drives, and the files and folders in the drives.
//!
//! As in Graph, an *item* is a file, a folder or the root of a drive, and an item contains the id
//! of its parent folder. A *UPN* (user principal name) is the sign-in name of a user.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    content::Content,
    destination::{Conflict, Destination},
    error::GraphError,
    names,
};

/// Quota in bytes of a drive for which the test sets no quota: 1 TiB.
const DEFAULT_QUOTA: u64 = 1 << 40;

/// A user with one drive.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) upn: String,
    /// Whether clients can see the drive. If not, the simulator reports that the drive does not
    /// exist.
    pub(crate) has_drive: bool,
    /// Quota of the drive in bytes.
    pub(crate) quota: u64,
    pub(crate) drive_id: String,
    /// Id of the root of the drive.
    pub(crate) root_id: String,
}

/// Item in which an upload has stored its file.
pub(crate) struct StoredItem {
    pub(crate) id: String,
    /// `true` if the upload created the item. `false` if it replaced the file of an existing item.
    pub(crate) is_new: bool,
}

/// File of an item, with its content.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content: Content,
    /// Number of versions, including the current one.
    pub(crate) versions: u64,
    /// Whether the service reports a wrong hash for the file.
    pub(crate) reports_wrong_hash: bool,
    /// Destination that the upload request named. With the conflict behavior `rename`, the name of
    /// the item may differ from it.
    pub(crate) destination: Destination,
}

/// A file, a folder or the root of a drive.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: String,
    /// GUID from which the id, the entity tags and the download credential are derived.
    pub(crate) guid: Uuid,
    pub(crate) name: String,
    /// Id of the parent folder; `None` for a root.
    pub(crate) parent: Option<String>,
    pub(crate) drive_id: String,
    /// `None` for a folder.
    pub(crate) file: Option<File>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// Creation and modification times that the client has set.
    pub(crate) client_times: Option<(String, String)>,
}

/// Users, and the items of all drives by their ids.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) users: Vec<User>,
    pub(crate) items: HashMap<String, Item>,
}

impl Tree {
    /// Adds a user, or changes an existing one. `None` leaves a property of an existing user
    /// unchanged. For a new user, `None` means a drive with a quota of 1 TiB.
    pub(crate) fn put_user(&mut self, upn: &str, has_drive: Option<bool>, quota: Option<u64>) {
        if self.user(upn).is_none() {
            let drive_id = format!("b!{}", Uuid::new_v4().simple());
            let root_id = self.add_item(None, "root", &drive_id, None);
            self.users.push(User {
                id: Uuid::new_v4().to_string(),
                upn: upn.to_owned(),
                has_drive: true,
                quota: DEFAULT_QUOTA,
                drive_id,
                root_id,
            });
        }
        for user in self.users.iter_mut().filter(|user| user.upn.eq_ignore_ascii_case(upn)) {
            user.has_drive = has_drive.unwrap_or(user.has_drive);
            user.quota = quota.unwrap_or(user.quota);
        }
    }

    /// Returns the user with this id or UPN.
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id || user.upn.to_lowercase() == id.to_lowercase())
    }

    /// Returns the owner of a drive.
    pub(crate) fn user_of_drive(&self, drive_id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.drive_id == drive_id)
    }

    /// Returns the number of bytes that the drive's files use.
    pub(crate) fn used_bytes(&self, drive_id: &str) -> u64 {
        self.items
            .values()
            .filter(|item| item.drive_id == drive_id)
            .filter_map(|item| item.file.as_ref())
            .map(|file| file.content.size)
            .sum()
    }

    /// Adds an item and returns its id. `file` is `None` for a folder.
    fn add_item(
        &mut self,
        parent: Option<&str>,
        name: &str,
        drive_id: &str,
        file: Option<File>,
    ) -> String {
        let guid = Uuid::new_v4();
        let id = format!("01{}", guid.simple().to_string().to_uppercase());
        let now = sim_kit::now();
        let item = Item {
            id: id.clone(),
            guid,
            name: name.to_owned(),
            parent: parent.map(str::to_owned),
            drive_id: drive_id.to_owned(),
            file,
            created: now,
            modified: now,
            client_times: None,
        };
        self.items.insert(id.clone(), item);
        id
    }

    /// Returns the items directly in a folder.
    pub(crate) fn children<'a>(&'a self, parent: &str) -> impl Iterator<Item = &'a Item> + use<'a> {
        let parent = parent.to_owned();
        self.items.values().filter(move |item| item.parent.as_ref() == Some(&parent))
    }

    /// Returns the item with this name in a folder. Names that differ only in case are equal.
    pub(crate) fn child(&self, parent: &str, name: &str) -> Option<&Item> {
        let name = name.to_lowercase();
        self.children(parent).find(|item| item.name.to_lowercase() == name)
    }

    /// Returns the item at a path from the root of a drive.
    pub(crate) fn find(&self, root_id: &str, path: &[String]) -> Option<&Item> {
        path.iter().try_fold(self.items.get(root_id)?, |item, name| self.child(&item.id, name))
    }

    /// Returns whether a file stands where the path needs a folder. No item can be created at such
    /// a path.
    pub(crate) fn path_crosses_file(&self, root_id: &str, path: &[String]) -> bool {
        let is_file =
            |depth| self.find(root_id, &path[..depth]).is_some_and(|item| item.file.is_some());
        (1..path.len()).any(is_file)
    }

    /// Returns the names on the path from the root to an item.
    pub(crate) fn path(&self, id: &str) -> Vec<String> {
        let mut path = Vec::new();
        let mut next = self.items.get(id);
        while let Some(item) = next {
            let Some(parent) = &item.parent else { break };
            path.push(item.name.clone());
            next = self.items.get(parent);
        }
        path.reverse();
        path
    }

    /// Returns the folder at a path and creates missing folders.
    pub(crate) fn make_folders(
        &mut self,
        user: &User,
        path: &[String],
    ) -> Result<String, GraphError> {
        let mut parent = user.root_id.clone();
        for name in path {
            parent = match self.child(&parent, name) {
                Some(item) if item.file.is_some() => return Err(GraphError::name_exists()),
                Some(item) => item.id.clone(),
                None => self.add_item(Some(&parent), name, &user.drive_id, None),
            };
        }
        Ok(parent)
    }

    /// Stores a complete file at its path.
    ///
    /// Uploads call this function at their end. It checks the name again, because another upload
    /// may have taken the name in the meantime.
    pub(crate) fn store_file(
        &mut self,
        user: &User,
        path: &[String],
        conflict: Conflict,
        content: Content,
        reports_wrong_hash: bool,
    ) -> Result<StoredItem, GraphError> {
        let Some((name, folders)) = path.split_last() else {
            return Err(GraphError::invalid("A file needs a name."));
        };
        let existing = self.find(&user.root_id, path);
        let replaced_file =
            existing.filter(|_| conflict == Conflict::Replace).and_then(|item| item.file.as_ref());
        let freed_bytes = replaced_file.map_or(0, |file| file.content.size);
        if self.used_bytes(&user.drive_id) - freed_bytes + content.size > user.quota {
            return Err(GraphError::quota());
        }
        let destination = Destination::new(&user.upn, path);
        let file = File { content, versions: 1, reports_wrong_hash, destination };
        let name = match (existing, conflict) {
            (None, _) => name.clone(),
            (Some(item), Conflict::Replace) if item.file.is_some() => {
                let id = item.id.clone();
                self.replace_file(&id, file);
                return Ok(StoredItem { id, is_new: false });
            }
            (Some(item), Conflict::Rename) => {
                let parent = item.parent.clone().unwrap_or_default();
                (1..)
                    .map(|number| names::numbered(name, number))
                    .find(|name| self.child(&parent, name).is_none())
                    .unwrap_or_default()
            }
            (Some(_), _) => return Err(GraphError::name_exists()),
        };
        let parent = self.make_folders(user, folders)?;
        let id = self.add_item(Some(&parent), &name, &user.drive_id, Some(file));
        Ok(StoredItem { id, is_new: true })
    }

    /// Replaces the file of an item by a new version.
    fn replace_file(&mut self, id: &str, mut file: File) {
        if let Some(item) = self.items.get_mut(id) {
            file.versions += item.file.as_ref().map_or(0, |previous| previous.versions);
            item.file = Some(file);
            item.modified = sim_kit::now();
        }
    }

    /// Removes an item and everything below it.
    pub(crate) fn remove(&mut self, id: &str) {
        let children: Vec<_> = self.children(id).map(|item| item.id.clone()).collect();
        for id in children {
            self.remove(&id);
        }
        self.items.remove(id);
    }

    /// Removes all files and folders from all drives.
    pub(crate) fn clear(&mut self) {
        self.items.retain(|_, item| item.parent.is_none());
    }
}
