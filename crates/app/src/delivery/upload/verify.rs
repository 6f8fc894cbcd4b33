//! Actions of an upload that check the destination: they find files that may be the document, and
//! verify that one of them is. The engine calls these actions to execute the commands of the state
//! machine.
//!
//! A *candidate* is a file at the destination that may be the document. Under the conflict policy
//! `rename`, the document may have a numbered name, such as `order 1.pdf`.

use docferry_domain::upload::{CandidateNames, DriveEvent, Occupancy};

use super::comparison::{Comparison, ComparisonError, ComparisonResult, LastByte};
use super::names::{NameListing, find_all_numbered, find_numbered};
use super::run::Run;
use crate::TaskError;
use crate::ports::{ConflictPolicy, Drive, DriveError, UploadAdapters, UploadStore as _};

impl<P: UploadAdapters> Run<'_, P> {
    /// Checks whether the document may already be at the destination. If a conflict was
    /// reported and no file is found, checks whether a file blocks the folder path.
    pub(super) async fn look_up(&mut self, names: CandidateNames) -> DriveEvent {
        self.reader = None;
        match self.check_names(names).await {
            Ok(occupancy) => DriveEvent::Found(occupancy),
            Err(error) => self.comparison_error_event(error),
        }
    }

    /// Returns which kind of item is at the destination, and stores the candidates.
    async fn check_names(&mut self, names: CandidateNames) -> Result<Occupancy, ComparisonError> {
        let NameListing { files, has_folder } = self.list_names(names).await?;
        let has_files = !files.is_empty();
        self.candidates = self.comparison().candidates(files, LastByte::Unanswered).await?;
        if !self.candidates.is_empty() {
            return Ok(Occupancy::SameSize);
        }
        if has_folder {
            return Ok(Occupancy::Folder);
        }
        if has_files {
            return Ok(Occupancy::Other);
        }
        if self.machine.is_conflict_lookup()
            && self.ports.drive.has_file_in_path(&self.destination).await?
        {
            return Ok(Occupancy::FileInPath);
        }
        Ok(Occupancy::Nothing)
    }

    /// Lists the files under these names.
    async fn list_names(&self, names: CandidateNames) -> Result<NameListing, DriveError> {
        let drive = &self.ports.drive;
        match names {
            CandidateNames::One(number) => find_numbered(drive, &self.destination, number).await,
            CandidateNames::All => find_all_numbered(drive, &self.destination, 0..u32::MAX).await,
        }
    }

    /// Compares the files at the destination with the source, and records a match as the
    /// delivery.
    ///
    /// `answers_last_byte` says that the drive reported the file as complete in response to the
    /// last byte that this transfer sent. No file at the destination is ever deleted, whatever the
    /// result.
    pub(super) async fn verify(
        &mut self,
        answers_last_byte: bool,
    ) -> Result<DriveEvent, TaskError> {
        let mut answers_last_byte = answers_last_byte;
        if self.candidates.is_empty() {
            let may_be_numbered = self.ports.settings.policy == ConflictPolicy::Rename;
            let names = if may_be_numbered { CandidateNames::All } else { CandidateNames::One(0) };
            self.candidates = match self.list_names(names).await {
                Ok(listing) => listing.files,
                Err(error) => return Ok(self.drive_error_event(error)),
            };
            // With several files and no known item id, it is unknown which file the drive reported.
            // A file that differs from the document may belong to another user.
            answers_last_byte &= self.completed_item_id.is_some() || self.candidates.len() < 2;
        }
        let has_no_file = self.candidates.is_empty();
        let candidates = std::mem::take(&mut self.candidates);
        let last_byte = match answers_last_byte {
            true => LastByte::Answered(self.completed_item_id.as_deref()),
            false => LastByte::Unanswered,
        };
        let compared = self.comparison().compare(&self.hash, candidates, last_byte).await;
        Ok(match compared {
            Ok(ComparisonResult::Delivered(item)) => {
                let id = &self.transfer.transfer_id;
                let epoch = self.transfer.epoch;
                self.ports.store.record_delivery(id, epoch, &item.into()).await?;
                DriveEvent::Verified
            }
            Ok(ComparisonResult::HashPending) => DriveEvent::HashPending,
            Ok(ComparisonResult::Unproven) => DriveEvent::Unproven,
            // The drive has just reported the item as created, but the item may not be visible
            // yet.
            Ok(ComparisonResult::Different) if has_no_file && answers_last_byte => {
                DriveEvent::NotSeen
            }
            Ok(ComparisonResult::Different) => DriveEvent::OtherFile,
            Err(error) => self.comparison_error_event(error),
        })
    }

    fn comparison(&self) -> Comparison<'_, P::Drive, P::Exchange> {
        let ports = self.ports;
        Comparison::new(&ports.drive, &*ports.exchange, &self.destination, &self.object)
    }

    /// Translates a failed comparison into an event for the state machine.
    fn comparison_error_event(&mut self, error: ComparisonError) -> DriveEvent {
        match error {
            ComparisonError::Drive(error) => self.drive_error_event(error),
            ComparisonError::Source(error) => self.source_error_event(error),
        }
    }
}
