//! Comparison of files at the destination with the document's source. Used by uploads and by
//! `finalize`.

use std::ops::Range;

use bytes::Bytes;
use docferry_domain::document::{
    ComparedSizes, ContentParts, DocumentName, Evidence, Rewriting, SourceHash, Verdict,
    ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind, is_plausible_rewriting, judge_rewriting,
    verify_delivery,
};
use docferry_domain::transfer::DeliveredItem;

use super::object::SourceObject;
use crate::ports::{Destination, Drive, DriveError, DriveItem, ExchangeError, ExchangeStore};

/// Maximum number of numbered names that are checked.
const MAX_NUMBERED_NAMES: u32 = 100;

/// An item at the destination, and its name there.
#[derive(Debug)]
pub(crate) struct NamedItem {
    pub(crate) name: DocumentName,
    pub(crate) item: DriveItem,
}

/// Whether the drive answered our own last byte.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LastByte<'a> {
    /// No answer came, or the answer may have been for another item.
    Unanswered,
    /// The drive answered with the item that has this id; `None` when the id is not known and
    /// there is only one item.
    Answered(Option<&'a str>),
}

/// Result of a comparison.
#[derive(Debug)]
pub(crate) enum ComparisonResult {
    /// One of the items is the document.
    Delivered(DeliveredItem),
    /// An item has the document's size, but its hash has not been computed yet.
    HashPending,
    /// The drive answered our last byte with an item whose content cannot be compared.
    Unproven,
    /// No item is the document.
    Different,
}

/// Failure of a comparison, by the side that did not answer.
#[derive(Debug)]
pub(crate) enum ComparisonError {
    /// The destination.
    Drive(DriveError),
    /// The exchange bucket.
    Source(ExchangeError),
}

impl From<DriveError> for ComparisonError {
    fn from(error: DriveError) -> Self {
        Self::Drive(error)
    }
}

impl From<ExchangeError> for ComparisonError {
    fn from(error: ExchangeError) -> Self {
        Self::Source(error)
    }
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
    /// Looks one name up and adds what is there. Returns whether the name is taken.
    async fn add<D: Drive>(&mut self, drive: &D, at: Destination) -> Result<bool, DriveError> {
        match drive.find(&at).await {
            Ok(None) => return Ok(false),
            Ok(Some(item)) => self.files.push(NamedItem { name: at.name, item }),
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
    if let Ok(at) = destination.numbered(number) {
        listing.add(drive, at).await?;
    }
    Ok(listing)
}

/// Looks up the document's own name and its numbered names: each number of `numbers` up to the
/// first free name, and each number before `numbers`.
pub(crate) async fn find_all_numbered<D: Drive>(
    drive: &D,
    destination: &Destination,
    numbers: Range<u32>,
) -> Result<NameListing, DriveError> {
    let mut listing = NameListing::default();
    for number in 0..numbers.end.min(MAX_NUMBERED_NAMES) {
        let Ok(at) = destination.numbered(number) else { break };
        let is_taken = listing.add(drive, at).await?;
        if !is_taken && number >= numbers.start {
            break;
        }
    }
    Ok(listing)
}

/// Compares items at the destination with one source object.
pub(crate) struct Comparison<'a, D, G> {
    drive: &'a D,
    exchange: &'a G,
    destination: &'a Destination,
    object: &'a SourceObject,
    /// The source's content parts, once they are read.
    source: Option<ZipKind<ZipContents>>,
}

impl<'a, D: Drive, G: ExchangeStore> Comparison<'a, D, G> {
    pub(crate) const fn new(
        drive: &'a D,
        exchange: &'a G,
        destination: &'a Destination,
        object: &'a SourceObject,
    ) -> Self {
        Self { drive, exchange, destination, object, source: None }
    }

    /// Returns the files that may be the document: those of its size, and those that may be the
    /// document as the service rewrote it.
    pub(crate) async fn candidates(
        &mut self,
        files: Vec<NamedItem>,
        last_byte: LastByte<'_>,
    ) -> Result<Vec<NamedItem>, ComparisonError> {
        let mut candidates = Vec::new();
        for candidate in files {
            let is_same_size = candidate.item.facts.size == self.object.size();
            if is_same_size || self.judge(&candidate, last_byte).await? != Rewriting::Refuted {
                candidates.push(candidate);
            }
        }
        Ok(candidates)
    }

    /// Compares the items with the source, whose `hash` is complete.
    pub(crate) async fn compare(
        &mut self,
        hash: &SourceHash,
        files: Vec<NamedItem>,
        last_byte: LastByte<'_>,
    ) -> Result<ComparisonResult, ComparisonError> {
        let mut is_pending = false;
        let mut others = Vec::new();
        for candidate in files {
            match verify_delivery(hash, &candidate.item.facts) {
                Verdict::Same => return Ok(delivered(candidate.item, hash, Evidence::Hash)),
                Verdict::HashPending => is_pending = true,
                Verdict::Different => others.push(candidate),
            }
        }
        if is_pending {
            return Ok(ComparisonResult::HashPending);
        }
        let mut is_unproven = false;
        for candidate in others {
            match self.judge(&candidate, last_byte).await? {
                Rewriting::Proven(evidence) => {
                    return Ok(delivered(candidate.item, hash, evidence));
                }
                Rewriting::Unproven => is_unproven = true,
                Rewriting::Refuted => {}
            }
        }
        Ok(if is_unproven { ComparisonResult::Unproven } else { ComparisonResult::Different })
    }

    /// Judges whether an item of another size is the document as the service rewrote it.
    async fn judge(
        &mut self,
        candidate: &NamedItem,
        last_byte: LastByte<'_>,
    ) -> Result<Rewriting, ComparisonError> {
        let sizes = ComparedSizes { source: self.object.size(), item: candidate.item.facts.size };
        if !is_plausible_rewriting(sizes) {
            return Ok(Rewriting::Refuted);
        }
        let parts = self.parts(&candidate.item).await?;
        let sent_last_byte = match last_byte {
            LastByte::Unanswered => false,
            LastByte::Answered(item) => item.is_none_or(|item| item == candidate.item.id),
        };
        Ok(judge_rewriting(&candidate.name, sizes, sent_last_byte, parts))
    }

    /// Compares the content parts (ZIP entries) of source and item. Reads only the ZIP
    /// directories.
    async fn parts(&mut self, item: &DriveItem) -> Result<ContentParts, ComparisonError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => self.source_parts().await?,
        };
        let parts = match &source {
            ZipKind::NotZip => ContentParts::NotZip,
            ZipKind::Unreadable => ContentParts::Unreadable,
            ZipKind::Zip(contents) => match self.item_parts(item).await? {
                ZipKind::Zip(other) if contents.is_same(&other) => ContentParts::Same,
                ZipKind::Zip(_) | ZipKind::NotZip => ContentParts::Different,
                ZipKind::Unreadable => ContentParts::Unreadable,
            },
        };
        self.source = Some(source);
        Ok(parts)
    }

    async fn source_parts(&self) -> Result<ZipKind<ZipContents>, ExchangeError> {
        let read = |range| self.object.read_range(self.exchange, range);
        zip_contents(self.object.size(), read).await
    }

    async fn item_parts(&self, item: &DriveItem) -> Result<ZipKind<ZipContents>, DriveError> {
        let read = |range| self.drive.read_item(self.destination, item, range);
        match zip_contents(item.facts.size, read).await {
            // The service refuses to let us read the item, which is no evidence of a
            // difference.
            Err(DriveError::Refused { .. } | DriveError::Unauthorized { .. }) => {
                Ok(ZipKind::Unreadable)
            }
            contents => contents,
        }
    }
}

/// Reads the ZIP directory of a file: the end of the file, and the rest of the directory if it
/// begins before that.
async fn zip_contents<E, F>(
    size: u64,
    read: impl Fn(Range<u64>) -> F,
) -> Result<ZipKind<ZipContents>, E>
where
    F: Future<Output = Result<Bytes, E>>,
{
    if size == 0 {
        return Ok(ZipKind::NotZip);
    }
    let tail_start = size.saturating_sub(ZIP_TAIL_BYTES);
    let tail = read(tail_start..size).await?;
    let directory = match ZipDirectory::locate(&tail, size) {
        ZipKind::Zip(directory) => directory,
        ZipKind::Unreadable => return Ok(ZipKind::Unreadable),
        ZipKind::NotZip => return Ok(ZipKind::NotZip),
    };
    let Range { start, end } = directory.range.clone();
    if start == end {
        return Ok(ZipKind::Unreadable);
    }
    let in_tail = start.checked_sub(tail_start).and_then(|first| {
        let (first, length) = (usize::try_from(first).ok()?, usize::try_from(end - start).ok()?);
        tail.get(first..first.checked_add(length)?)
    });
    Ok(match in_tail {
        Some(bytes) => ZipContents::read(bytes, &directory),
        None => ZipContents::read(&read(start..end).await?, &directory),
    })
}

fn delivered(item: DriveItem, hash: &SourceHash, evidence: Evidence) -> ComparisonResult {
    ComparisonResult::Delivered(DeliveredItem {
        item_id: item.id,
        size: item.facts.size,
        quick_xor_hash: hash.digest(),
        rewritten: evidence != Evidence::Hash,
        evidence: Some(evidence),
        web_url: item.web_url,
    })
}
