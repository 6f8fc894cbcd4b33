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

impl<S, D, G, L, C, B> Run<'_, S, D, G, L, C, B>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    /// Looks whether the document may be at the destination.
    pub(super) async fn look(&mut self, names: Names) -> Answer {
        self.reader = None;
        let shown = match self.shown(names).await {
            Ok(shown) => shown,
            Err(error) => return self.refusal(error),
        };
        let is_empty = shown.is_empty();
        let size = self.object.size;
        self.found = shown.into_iter().filter(|found| found.item.facts.size == size).collect();
        Answer::Found(match (is_empty, self.found.is_empty()) {
            (true, _) => Seen::Nothing,
            (_, true) => Seen::Other,
            _ => Seen::SameSize,
        })
    }

    async fn shown(&self, names: Names) -> Result<Vec<Found>, DriveError> {
        let numbers = match names {
            Names::One(number) => number..number + 1,
            Names::All => 0..MOST_NAMES,
        };
        let mut shown = Vec::new();
        for number in numbers {
            let Ok(at) = self.destination.numbered(number) else { break };
            let Some(item) = self.ports.drive.find(&at).await? else { break };
            shown.push(Found { name: at.name, item });
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
                Ok(found) => found,
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
