use docferry_domain::{Answer, DeliveredItem, DocumentName, Names, Seen, Verdict, verify_delivery};

use super::engine::Run;
use crate::TaskError;
use crate::ports::{
    Clock, ConflictPolicy, Drive, DriveError, DriveItem, Sealer, Staging, ThrottleBudget,
    TransferStore,
};

/// Numbered names that are looked at, at most.
const MOST_NAMES: u32 = 100;

/// An item at the destination, and its name there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: DocumentName,
    pub(super) item: DriveItem,
}

/// What lies under the names that were looked at.
#[derive(Debug, Default)]
struct Shown {
    files: Vec<Found>,
    /// A folder has one of the names.
    has_folder: bool,
}

impl<S, D, G, L, C, B> Run<'_, S, D, G, L, C, B>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    /// Looks whether the document may be at the destination. After a conflict with nothing
    /// there, the path may explain it.
    pub(super) async fn look(&mut self, names: Names) -> Answer {
        self.reader = None;
        match self.seen(names).await {
            Ok(seen) => Answer::Found(seen),
            Err(error) => self.refusal(error),
        }
    }

    async fn seen(&mut self, names: Names) -> Result<Seen, DriveError> {
        let Shown { files, has_folder } = self.shown(names).await?;
        let is_empty = files.is_empty();
        let size = self.object.size;
        self.found = files.into_iter().filter(|found| found.item.facts.size == size).collect();
        Ok(match (self.found.is_empty(), is_empty) {
            (false, _) => Seen::SameSize,
            (true, _) if has_folder => Seen::Folder,
            (true, false) => Seen::Other,
            (true, true) if !self.course.is_about_a_conflict() => Seen::Nothing,
            (true, true) => match self.ports.drive.has_file_in_path(&self.destination).await? {
                true => Seen::FileInPath,
                false => Seen::Nothing,
            },
        })
    }

    /// The files under these names, up to the first name that is free.
    async fn shown(&self, names: Names) -> Result<Shown, DriveError> {
        let numbers = match names {
            Names::One(number) => number..number + 1,
            Names::All => 0..MOST_NAMES,
        };
        let mut shown = Shown::default();
        for number in numbers {
            let Ok(at) = self.destination.numbered(number) else { break };
            match self.ports.drive.find(&at).await {
                Ok(Some(item)) => shown.files.push(Found { name: at.name, item }),
                Ok(None) => break,
                Err(DriveError::Conflict) => shown.has_folder = true,
                Err(error) => return Err(error),
            }
        }
        Ok(shown)
    }

    /// Compares what is at the destination with the source, and records it.
    ///
    /// `by_us` says that the drive completed it in answer to our own last bytes;
    /// only then can a difference be the service's rewriting. The destination is
    /// never deleted, whatever is found.
    pub(super) async fn verify(&mut self, by_us: bool) -> Result<Answer, TaskError> {
        let mut by_us = by_us;
        if self.found.is_empty() {
            let all = self.ports.settings.policy == ConflictPolicy::Rename;
            let names = if all { Names::All } else { Names::One(0) };
            self.found = match self.shown(names).await {
                Ok(shown) => shown.files,
                Err(error) => return Ok(self.refusal(error)),
            };
            // Among several, one that differs may well be somebody else's.
            by_us &= self.found.len() < 2;
        }
        let is_missing = self.found.is_empty();
        let mut is_pending = false;
        for Found { name, item } in std::mem::take(&mut self.found) {
            match verify_delivery(&self.hash, &name, &item.facts, by_us) {
                verdict @ (Verdict::Same | Verdict::Rewritten) => {
                    self.record(item, verdict == Verdict::Rewritten).await?;
                    return Ok(Answer::Verified);
                }
                Verdict::HashPending => is_pending = true,
                Verdict::Different => {}
            }
        }
        // What the drive has just said it made may take a moment to be seen.
        let is_late = is_pending || (is_missing && by_us);
        Ok(if is_late { Answer::HashPending } else { Answer::NotOurs })
    }

    async fn record(&self, item: DriveItem, rewritten: bool) -> Result<(), TaskError> {
        let item = DeliveredItem {
            item_id: item.id,
            size: item.facts.size,
            quick_xor_hash: self.hash.digest(),
            rewritten,
            web_url: item.web_url,
        };
        let id = &self.transfer.transfer_id;
        Ok(self.ports.store.record_delivery(id, self.transfer.epoch, &item.into()).await?)
    }
}
