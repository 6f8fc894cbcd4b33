//! Throttling state in DynamoDB, which all transfers share. If the drive throttles one transfer,
//! the state stores a pause. No transfer calls the drive before the pause ends.

use aws_sdk_dynamodb::Client;
use docferry_app::ports::{Pause, StoreError, ThrottleBudget};
use jiff::{SignedDuration, Timestamp};

use super::conditional_update::{ConditionalUpdate, number};
use super::items::{corrupt, ttl};
use super::keys::{Item, pause_key};
use super::table::Table;
use super::write_failure::WriteFailure;

/// Time after the end of a pause at which TTL removes its item.
const TTL_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// [`ThrottleBudget`] that is stored as one item of the table of transfers.
#[derive(Debug, Clone)]
pub struct DynamoThrottleBudget {
    table: Table,
    name: &'static str,
}

impl DynamoThrottleBudget {
    /// Creates the budget with this name. Budgets with the same name and `table` share one pause.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, name: &'static str) -> Self {
        Self { table: Table::new(client, table.into()), name }
    }
}

impl ThrottleBudget for DynamoThrottleBudget {
    async fn paused(&self) -> Result<Option<Pause>, StoreError> {
        self.table.get(pause_key(self.name)).await?.as_ref().map(read_pause).transpose()
    }

    async fn pause(&self, pause: Pause) -> Result<(), StoreError> {
        let expires_at = pause.until.saturating_add(TTL_DELAY).unwrap_or(pause.until);
        let change = ConditionalUpdate::default()
            .set("pausedSince", number(pause.since.as_millisecond()))
            .set("pausedUntil", number(pause.until.as_millisecond()))
            .set("expiresAt", ttl(expires_at))
            .when("attribute_not_exists(#pausedUntil) OR #pausedUntil < :pausedUntil");
        match self.table.update(pause_key(self.name), change).await {
            Ok(_) | Err(WriteFailure::Condition(_)) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }
}

/// Parses a pause.
fn read_pause(item: &Item) -> Result<Pause, StoreError> {
    let time = |name: &str| {
        let millis = item.get(name)?.as_n().ok()?.parse().ok()?;
        Timestamp::from_millisecond(millis).ok()
    };
    match (time("pausedSince"), time("pausedUntil")) {
        (Some(since), Some(until)) => Ok(Pause { since, until }),
        _ => Err(corrupt("throttle budget")),
    }
}
