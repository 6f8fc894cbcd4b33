//! Look-ups of the names that a document may have at its destination.
//!
//! Under the conflict policy `rename`, a document whose name is taken gets a numbered name, such
//! as `order 1.pdf`. Number 0 is the document's own name.

use std::ops::Range;

use docferry_domain::document::DocumentName;

use crate::ports::{Destination, Drive, DriveError, DriveItem};

/// Maximum number of numbered names that are checked.
const MAX_NUMBERED_NAMES: u32 = 100;

/// An item at the destination, and its name there.
#[derive(Debug)]
pub(crate) struct NamedItem {
    pub(crate) name: DocumentName,
    pub(crate) item: DriveItem,
}

/// Files and folders found under the names that were checked.
#[derive(Debug, Default)]
pub(crate) struct NameListing {
    /// The files, in the order of their numbered names.
    pub(crate) files: Vec<NamedItem>,
    /// Whether a folder has one of the names.
    pub(crate) has_folder: bool,
}

impl NameListing {
    /// Looks one name up and adds the file or folder that has it. Returns whether the name is
    /// taken.
    async fn add<D: Drive>(
        &mut self,
        drive: &D,
        destination: Destination,
    ) -> Result<bool, DriveError> {
        match drive.find(&destination).await {
            Ok(None) => return Ok(false),
            Ok(Some(item)) => self.files.push(NamedItem { name: destination.name, item }),
            Err(DriveError::Conflict) => self.has_folder = true,
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// Looks up the document's name with this number.
pub(crate) async fn find_numbered<D: Drive>(
    drive: &D,
    destination: &Destination,
    number: u32,
) -> Result<NameListing, DriveError> {
    let mut listing = NameListing::default();
    if let Ok(numbered) = destination.numbered(number) {
        listing.add(drive, numbered).await?;
    }
    Ok(listing)
}

/// Looks up the document's own name (number 0) and its numbered names. All names before
/// `numbers.start` are looked up, and from there the names up to the first free one.
pub(crate) async fn find_all_numbered<D: Drive>(
    drive: &D,
    destination: &Destination,
    numbers: Range<u32>,
) -> Result<NameListing, DriveError> {
    let mut listing = NameListing::default();
    for number in 0..numbers.end.min(MAX_NUMBERED_NAMES) {
        let Ok(numbered) = destination.numbered(number) else { break };
        let is_taken = listing.add(drive, numbered).await?;
        if !is_taken && number >= numbers.start {
            break;
        }
    }
    Ok(listing)
}
