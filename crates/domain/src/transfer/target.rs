//! Destination of a transfer: a folder in a OneDrive, or the delivery bucket, from which clients
//! download documents.

use serde::{Deserialize, Serialize};

use crate::document::DriveFolder;
use crate::person::{Person, Recipient};
use crate::slots::Pool;

/// Destination of a document.
///
/// The fields of the variant are stored directly in the transfer's record. Only a record with a
/// OneDrive has the field `recipient`, which distinguishes the two variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A folder in a OneDrive.
    Onedrive(DriveTarget),
    /// The delivery bucket, from which a presigned URL downloads the document.
    Download(DownloadTarget),
}

/// Folder in the recipient's OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveTarget {
    /// Recipient of the document.
    pub recipient: Recipient,
    /// Folder as the caller sent it, for status responses. `None` if the caller sent no folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// Validated folder.
    pub folder: DriveFolder,
}

/// Object in the delivery bucket. Its key is chosen when the document is copied there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadTarget {
    /// Person or service that the transfer's slot is counted for.
    pub person: Person,
}

impl Target {
    /// Returns the slot pool of the destination.
    #[must_use]
    pub const fn pool(&self) -> Pool {
        match self {
            Self::Onedrive(_) => Pool::Onedrive,
            Self::Download(_) => Pool::Download,
        }
    }

    /// Returns the person or service that the transfer's slot is counted for. For a OneDrive it
    /// is the recipient, independent of the caller.
    #[must_use]
    pub fn person(&self) -> Person {
        match self {
            Self::Onedrive(drive) => Person::from(&drive.recipient),
            Self::Download(download) => download.person.clone(),
        }
    }

    /// Returns the folder in a OneDrive, if that is the destination.
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
