//! Destination of a transfer: a folder in a OneDrive, or the delivery bucket, from which clients
//! download documents.

use serde::{Deserialize, Serialize};

use crate::document::DriveFolder;
use crate::person::{Person, Recipient};
use crate::slots::Pool;

/// Destination of a document.
///
/// The fields of the variant are stored directly in the transfer's record. The field `recipient`
/// distinguishes the variants: only [`Target::Onedrive`] has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A folder in a OneDrive.
    Onedrive(DriveTarget),
    /// The delivery bucket. Clients download the document from it by a presigned URL.
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
    /// Person or service for which the transfer's slot counts. A *slot* is the right to move bytes,
    /// and each person may hold only a few.
    pub person: Person,
}

impl Target {
    /// Returns the pool of slots for the destination.
    #[must_use]
    pub const fn pool(&self) -> Pool {
        match self {
            Self::Onedrive(_) => Pool::Onedrive,
            Self::Download(_) => Pool::Download,
        }
    }

    /// Returns the person or service for which the transfer's slot counts. For a OneDrive, this is
    /// the recipient, regardless of the caller.
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
