use std::time::Duration;

use docferry_domain::{Delivery, FailureCode, SourceHash, Verdict, verify_delivery};

use super::Progress;
use super::engine::{Interruption, Run};
use crate::TaskError;
use crate::ports::{Clock, ConflictPolicy, Drive, DriveItem, Sealer, Staging, TransferStore};

/// How often a hash that the service has not computed yet is asked for.
const HASH_LOOKS: u32 = 5;

impl<S, D, G, L, C> Run<'_, S, D, G, L, C>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    /// Verifies and records the delivery. `false` when what was found at the
    /// destination is not this document: it must be sent.
    ///
    /// `by_us` says that the drive completed it in answer to our own last
    /// fragment; only then can a difference be the service's rewriting.
    pub(super) async fn complete(
        &mut self,
        item: Option<DriveItem>,
        by_us: bool,
    ) -> Result<bool, TaskError> {
        let hash = match self.hash_up_to(self.object.size).await {
            Ok(Some(hash)) => hash,
            // The next invocation goes on with the reading.
            Ok(None) => return Ok(false),
            Err(Interruption::Failed(error)) => return Err(error),
            Err(Interruption::Throttled(_)) => return Ok(false),
        };
        let mut item = item;
        for look in 0..HASH_LOOKS {
            let known = match item.take() {
                Some(item) => Some(item),
                None => self.ports.drive.find(&self.destination).await?,
            };
            if let Some(known) = known {
                let verdict = verify_delivery(&hash, &self.destination.name, &known.facts, by_us);
                match verdict {
                    Verdict::Same | Verdict::Rewritten => {
                        self.record(known, &hash, verdict == Verdict::Rewritten).await?;
                        return Ok(true);
                    }
                    Verdict::Different if by_us => {
                        return Err(FailureCode::VerificationFailed.into());
                    }
                    Verdict::Different => return Ok(false),
                    Verdict::HashPending => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(250 << look).min(self.time_left())).await;
        }
        Err(FailureCode::VerificationFailed.into())
    }

    /// An empty document needs no session and has nothing to resume.
    pub(super) async fn deliver_empty(&mut self) -> Result<Progress, TaskError> {
        let ports = self.ports;
        // An earlier invocation may have written it and died before the record.
        // Replacing an empty file by an empty file is harmless; a second one is not.
        let repeated = self.transfer.epoch > 1 && ports.settings.policy != ConflictPolicy::Replace;
        let existing = if repeated { ports.drive.find(&self.destination).await? } else { None };
        let item = match existing.filter(|item| item.facts.size == 0) {
            Some(item) => item,
            None => match ports.drive.put_empty(&self.destination, ports.settings.policy).await {
                Ok(item) => item,
                Err(error) => {
                    return match super::engine::interrupted(error) {
                        Interruption::Throttled(after) => self.pause(after).await,
                        Interruption::Failed(error) => Err(error),
                    };
                }
            },
        };
        if item.facts.size != 0 {
            return Err(FailureCode::VerificationFailed.into());
        }
        self.record(item, &SourceHash::default(), false).await?;
        Ok(Progress::Done)
    }

    async fn record(
        &self,
        item: DriveItem,
        hash: &SourceHash,
        rewritten: bool,
    ) -> Result<(), TaskError> {
        let delivery = Delivery {
            item_id: item.id,
            size: item.facts.size,
            quick_xor_hash: hash.digest(),
            rewritten,
        };
        let id = &self.transfer.transfer_id;
        Ok(self.ports.store.record_delivery(id, self.transfer.epoch, &delivery).await?)
    }
}
