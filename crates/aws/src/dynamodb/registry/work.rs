//! The work of withdrawals.

use docferry_app::ports::{RegistryWork, StoreError, Withdrawal};

use super::super::conditional_update::ConditionalUpdate;
use super::DynamoRegistry;
use super::items::{WITHDRAWALS, read_withdrawal, withdrawal_key, withdrawal_sort_key};

impl RegistryWork for DynamoRegistry {
    async fn withdrawals(
        &self,
        after: Option<&Withdrawal>,
        limit: usize,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        // The sort keys begin with a digit of the year; `:` follows the digits.
        let after = after.map_or_else(|| "0".to_owned(), withdrawal_sort_key);
        let partition = WITHDRAWALS.to_owned();
        let items = self.table.range_after(partition, &after, ":", limit).await?;
        items.into_iter().map(read_withdrawal).collect()
    }

    async fn complete_withdrawal(&self, withdrawal: &Withdrawal) -> Result<(), StoreError> {
        let unconditional = ConditionalUpdate::default();
        match self.table.delete(withdrawal_key(withdrawal), unconditional).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }
}
