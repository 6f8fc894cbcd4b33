use serde::{Deserialize, Serialize};

use crate::{DriveFolder, Person, Pool, Recipient};

/// Where a document goes.
///
/// Stored flat in the transfer: what tells the two apart is whether there is a
/// recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// Into somebody's OneDrive.
    Onedrive(DriveTarget),
    /// Into the delivery bucket, where it is fetched by a presigned URL.
    Download(DownloadTarget),
}

/// A folder in somebody's OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveTarget {
    /// Who gets it.
    pub recipient: Recipient,
    /// The folder as the caller gave it, for echoing; `None` when it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// The folder, checked.
    pub folder: DriveFolder,
}

/// A place in the delivery bucket: made up when the document gets there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadTarget {
    /// For whom it counts.
    pub person: Person,
}

impl Target {
    /// Whose slots are used while bytes move there.
    #[must_use]
    pub const fn pool(&self) -> Pool {
        match self {
            Self::Onedrive(_) => Pool::Onedrive,
            Self::Download(_) => Pool::Download,
        }
    }

    /// For whom it counts: the resolved recipient, whoever asked.
    #[must_use]
    pub fn person(&self) -> Person {
        match self {
            Self::Onedrive(drive) => Person::from(&drive.recipient),
            Self::Download(download) => download.person.clone(),
        }
    }

    /// The folder in a drive, when that is where it goes.
    #[must_use]
    pub const fn drive(&self) -> Option<&DriveTarget> {
        match self {
            Self::Onedrive(drive) => Some(drive),
            Self::Download(_) => None,
        }
    }
}

impl From<DriveTarget> for Target {
    fn from(drive: DriveTarget) -> Self {
        Self::Onedrive(drive)
    }
}
