//! Counts of API requests per caller and minute in DynamoDB, for the rate limit of the API.

use aws_sdk_dynamodb::Client;
use docferry_app::ports::{CallCounter, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::conditional_update::ConditionalUpdate;
use super::items::{corrupt, ttl};
use super::keys::request_count_key;
use super::table::Table;

/// Time after which TTL removes a count.
const TTL_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// [`CallCounter`] that all functions share. It has one item for each caller and minute.
///
/// If a response of DynamoDB is lost, the SDK repeats the increment. The call then counts twice.
#[derive(Debug, Clone)]
pub struct DynamoQuota {
    table: Table,
}

impl DynamoQuota {
    /// Creates a counter with its counts in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}

impl CallCounter for DynamoQuota {
    async fn count_call(&self, caller: &str, now: Timestamp) -> Result<u32, StoreError> {
        let expires_at = now.saturating_add(TTL_DELAY).unwrap_or(now);
        let counted =
            ConditionalUpdate::default().increment("used").set("expiresAt", ttl(expires_at));
        let minute = now.as_second().div_euclid(60);
        let item = match self.table.update(request_count_key(caller, minute), counted).await {
            Ok(item) => item,
            Err(failure) => failure.current_item()?.unwrap_or_default(),
        };
        let used = item.get("used").and_then(|value| value.as_n().ok()?.parse().ok());
        used.ok_or_else(|| corrupt("count of calls"))
    }
}
