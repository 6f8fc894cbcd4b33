use aws_sdk_dynamodb::Client;
use docferry_app::ports::{Quota, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::change::Change;
use super::items::{corrupt, quota_key, ttl};
use super::table::Table;

/// How long a count rests after its minute.
const REST: SignedDuration = SignedDuration::from_hours(1);

/// The [`Quota`] that all functions share: items `R#{caller}`, one a minute.
///
/// A count whose answer was lost is sent again and counts twice.
#[derive(Debug, Clone)]
pub struct DynamoQuota {
    table: Table,
}

impl DynamoQuota {
    /// The counts in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}

impl Quota for DynamoQuota {
    async fn count_call(&self, caller: &str, now: Timestamp) -> Result<u32, StoreError> {
        let rests_until = now.saturating_add(REST).unwrap_or(now);
        let counted = Change::default().increment("used").set("expiresAt", ttl(rests_until));
        let minute = now.as_second().div_euclid(60);
        let item = match self.table.update(quota_key(caller, minute), counted).await {
            Ok(item) => item,
            Err(refusal) => refusal.stood()?.unwrap_or_default(),
        };
        let used = item.get("used").and_then(|value| value.as_n().ok()?.parse().ok());
        used.ok_or_else(|| corrupt("count of calls"))
    }
}
