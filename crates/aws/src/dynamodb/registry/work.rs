//! The list of withdrawals for the sweeper, the background repair. A *withdrawal* makes a document
//! unavailable for good. It stays in the list until the sweeper has deleted all copies of the
//! document and has sent the audit record.

use docferry_app::ports::{RegistryWork, StoreError, Withdrawal};
use jiff::Timestamp;

use super::super::conditional_update::ConditionalUpdate;
use super::super::items::attribute;
use super::super::keys::Item;
use super::DynamoRegistry;
use super::items::{AUDITED_AT, WITHDRAWALS, read_withdrawal, withdrawal_key, withdrawal_sort_key};

impl RegistryWork for DynamoRegistry {
    async fn withdrawals(
        &self,
        after: Option<&Withdrawal>,
        limit: usize,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        // The sort keys begin with a digit of the year, and `:` sorts after `9`.
        let sort_key = |after: &Withdrawal| withdrawal_sort_key(after.withdrawn_at, &after.id);
        let after = after.map_or_else(|| "0".to_owned(), sort_key);
        let partition = WITHDRAWALS.to_owned();
        let items = self.table.range_after(partition, &after, ":", limit).await?;
        Ok(items.into_iter().filter_map(readable).collect())
    }

    async fn mark_withdrawal_audited(
        &self,
        withdrawal: &Withdrawal,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let audited = ConditionalUpdate::default()
            .set_once(AUDITED_AT, attribute(&at)?)
            .when("attribute_exists(#pk)");
        match self.table.update(withdrawal_key(withdrawal), audited).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn complete_withdrawal(&self, withdrawal: &Withdrawal) -> Result<(), StoreError> {
        let unconditional = ConditionalUpdate::default();
        match self.table.delete(withdrawal_key(withdrawal), unconditional).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }
}

/// Parses an item. Returns `None` if this version cannot read it.
fn readable(item: Item) -> Option<Withdrawal> {
    read_withdrawal(item)
        .inspect_err(|error| tracing::error!(error = %error, "withdrawal cannot be read"))
        .ok()
}
