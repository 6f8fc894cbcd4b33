//! The work of withdrawals.

use docferry_app::ports::{RegistryWork, StoreError, Withdrawal};

use super::super::conditional_update::ConditionalUpdate;
use super::DynamoRegistry;
use super::items::{WITHDRAWALS, read_withdrawal, withdrawal_key};

impl RegistryWork for DynamoRegistry {
    async fn withdrawals(&self, limit: usize) -> Result<Vec<Withdrawal>, StoreError> {
        // The sort keys begin with a digit of the year; `:` follows the digits.
        let items = self.table.range(WITHDRAWALS.to_owned(), "0", ":", limit).await?;
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
