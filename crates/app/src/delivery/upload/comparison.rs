//! Comparison of files at the destination with the document in the exchange bucket (the *source*).
//! The comparison decides whether one of the files is the delivered document. The steps `upload`
//! and `finalize` use it.
//!
//! Most files are compared by size and hash. The drive may *rewrite* an Office document on arrival,
//! which changes its size and hash. Such a file is compared by its *content parts*, the entries of
//! the ZIP file.

use std::ops::Range;

use bytes::Bytes;
use docferry_domain::document::{
    ComparedSizes, ContentParts, Evidence, Rewriting, SourceHash, Verdict, ZIP_TAIL_BYTES,
    ZipContents, ZipDirectory, ZipKind, classify_rewriting, is_plausible_rewriting,
    verify_delivery,
};
use docferry_domain::transfer::DeliveredItem;

use super::names::NamedItem;
use super::object::SourceObject;
use crate::ports::{Destination, Drive, DriveError, DriveItem, ExchangeError, ExchangeStore};

/// Whether the drive has reported the file as complete in response to the last byte that this
/// transfer sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LastByte<'a> {
    /// No response arrived, or the response may have been about another item.
    Unanswered,
    /// The drive responded with the item that has this id; `None` when the id is not known, but
    /// the response can only be about the one file at the destination.
    Answered(Option<&'a str>),
}

/// Result of a comparison.
#[derive(Debug)]
pub(crate) enum ComparisonResult {
    /// One of the items is the document.
    Delivered(DeliveredItem),
    /// An item has the document's size, but its hash has not been computed yet.
    HashPending,
    /// An item may be the document as the drive rewrote it, but its content cannot be compared.
    Unproven,
    /// No item is the document.
    Different,
}

/// Failure of a comparison. The variant names the side that could not be read.
#[derive(Debug)]
pub(crate) enum ComparisonError {
    /// The file at the destination could not be read.
    Drive(DriveError),
    /// The object in the exchange bucket could not be read.
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

/// Compares items at the destination with one source object.
pub(crate) struct Comparison<'a, D, G> {
    drive: &'a D,
    exchange: &'a G,
    destination: &'a Destination,
    object: &'a SourceObject,
    /// The source's content parts; `None` until a comparison has read them.
    source_parts: Option<ZipKind<ZipContents>>,
}

impl<'a, D: Drive, G: ExchangeStore> Comparison<'a, D, G> {
    pub(crate) const fn new(
        drive: &'a D,
        exchange: &'a G,
        destination: &'a Destination,
        object: &'a SourceObject,
    ) -> Self {
        Self { drive, exchange, destination, object, source_parts: None }
    }

    /// Returns the files that may be the document: each file of the document's size, and each file
    /// that the drive may have made by rewriting the document.
    pub(crate) async fn candidates(
        &mut self,
        files: Vec<NamedItem>,
        last_byte: LastByte<'_>,
    ) -> Result<Vec<NamedItem>, ComparisonError> {
        let mut candidates = Vec::new();
        for file in files {
            let is_same_size = file.item.facts.size == self.object.size();
            if is_same_size || self.assess_rewriting(&file, last_byte).await? != Rewriting::Refuted
            {
                candidates.push(file);
            }
        }
        Ok(candidates)
    }

    /// Returns the result for an item that is the document. The id of the recipient is recorded
    /// only for the audit trail, so a failure to read the id does not prevent the delivery.
    async fn delivered(
        &self,
        item: DriveItem,
        hash: &SourceHash,
        evidence: Evidence,
    ) -> ComparisonResult {
        let recipient_id = self.drive.recipient_id(&self.destination.recipient).await;
        ComparisonResult::Delivered(DeliveredItem {
            item_id: item.id,
            recipient_id: recipient_id.unwrap_or_default(),
            size: item.facts.size,
            quick_xor_hash: hash.digest(),
            rewritten: evidence != Evidence::Hash,
            evidence: Some(evidence),
            web_url: item.web_url,
        })
    }

    /// Compares the files with the source. `hash` is the hash of the whole source.
    pub(crate) async fn compare(
        &mut self,
        hash: &SourceHash,
        files: Vec<NamedItem>,
        last_byte: LastByte<'_>,
    ) -> Result<ComparisonResult, ComparisonError> {
        let mut is_hash_pending = false;
        let mut different_files = Vec::new();
        for file in files {
            match verify_delivery(hash, &file.item.facts) {
                Verdict::Same => return Ok(self.delivered(file.item, hash, Evidence::Hash).await),
                Verdict::HashPending => is_hash_pending = true,
                Verdict::Different => different_files.push(file),
            }
        }
        if is_hash_pending {
            return Ok(ComparisonResult::HashPending);
        }
        let mut is_unproven = false;
        for file in different_files {
            match self.assess_rewriting(&file, last_byte).await? {
                Rewriting::Proven(evidence) => {
                    return Ok(self.delivered(file.item, hash, evidence).await);
                }
                Rewriting::Unproven => is_unproven = true,
                Rewriting::Refuted => {}
            }
        }
        Ok(if is_unproven { ComparisonResult::Unproven } else { ComparisonResult::Different })
    }

    /// Assesses whether a file with another size or hash is the document as the drive rewrote it.
    async fn assess_rewriting(
        &mut self,
        candidate: &NamedItem,
        last_byte: LastByte<'_>,
    ) -> Result<Rewriting, ComparisonError> {
        let sizes = ComparedSizes { source: self.object.size(), item: candidate.item.facts.size };
        if !is_plausible_rewriting(sizes) {
            return Ok(Rewriting::Refuted);
        }
        let parts = self.compare_parts(&candidate.item).await?;
        let sent_last_byte = match last_byte {
            LastByte::Unanswered => false,
            LastByte::Answered(item) => item.is_none_or(|item| item == candidate.item.id),
        };
        Ok(classify_rewriting(&candidate.name, sizes, sent_last_byte, parts))
    }

    /// Compares the content parts (ZIP entries) of source and item. Reads only the ZIP
    /// directories, which contain checksums of the entries.
    async fn compare_parts(&mut self, item: &DriveItem) -> Result<ContentParts, ComparisonError> {
        let source_parts = match self.source_parts.take() {
            Some(source_parts) => source_parts,
            None => self.read_source_parts().await?,
        };
        let result = match &source_parts {
            ZipKind::NotZip => ContentParts::NotZip,
            ZipKind::Unreadable => ContentParts::Unreadable,
            ZipKind::Zip(in_source) => match self.read_item_parts(item).await? {
                ZipKind::Zip(in_drive) if in_source.is_same(&in_drive) => ContentParts::Same,
                ZipKind::Zip(_) | ZipKind::NotZip => ContentParts::Different,
                ZipKind::Unreadable => ContentParts::Unreadable,
            },
        };
        self.source_parts = Some(source_parts);
        Ok(result)
    }

    async fn read_source_parts(&self) -> Result<ZipKind<ZipContents>, ExchangeError> {
        let read = |range| self.object.read_range(self.exchange, range);
        zip_contents(self.object.size(), read).await
    }

    async fn read_item_parts(&self, item: &DriveItem) -> Result<ZipKind<ZipContents>, DriveError> {
        let read = |range| self.drive.read_item(self.destination, item, range);
        match zip_contents(item.facts.size, read).await {
            // A drive that does not permit docferry to read the item gives no evidence of a
            // difference.
            Err(DriveError::Refused { .. } | DriveError::Unauthorized { .. }) => {
                Ok(ZipKind::Unreadable)
            }
            contents => contents,
        }
    }
}

/// Reads the ZIP directory, which is near the end of a file. The first read returns the last
/// [`ZIP_TAIL_BYTES`] of the file. If they do not contain the whole directory, a second read
/// returns the directory.
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
    let directory_in_tail = start.checked_sub(tail_start).and_then(|offset| {
        let offset = usize::try_from(offset).ok()?;
        let length = usize::try_from(end - start).ok()?;
        tail.get(offset..offset.checked_add(length)?)
    });
    Ok(match directory_in_tail {
        Some(bytes) => ZipContents::read(bytes, &directory),
        None => ZipContents::read(&read(start..end).await?, &directory),
    })
}
