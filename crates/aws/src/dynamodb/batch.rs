use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use docferry_app::ports::StoreError;

use super::items::{Item, corrupt};
use crate::Fault;

/// Most keys of one BatchGetItem.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
pub(super) const MOST_KEYS: usize = 100;

/// Calls after which keys that are still not answered count as a table that does not.
const TRIES: u32 = 8;

/// The items of these keys that there are, at most [`MOST_KEYS`], in whichever order.
pub(super) async fn batch_get(
    client: &Client,
    table: &str,
    mut keys: Vec<Item>,
    consistent: bool,
) -> Result<Vec<Item>, StoreError> {
    const CALL: &str = "DynamoDB BatchGetItem";
    let mut found = Vec::new();
    for tries in 0..TRIES {
        if keys.is_empty() {
            return Ok(found);
        }
        if tries > 0 {
            // What a table does not answer at once it answers a little later.
            tokio::time::sleep(Duration::from_millis(10 << tries)).await;
        }
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(consistent);
        let wanted = wanted.build().map_err(|_| corrupt("key"))?;
        let answer = Box::pin(client.batch_get_item().request_items(table, wanted).send())
            .await
            .map_err(|error| StoreError::Unavailable(Box::new(Fault::of(CALL, &error))))?;
        found.extend(answer.responses.and_then(|mut all| all.remove(table)).unwrap_or_default());
        let left = answer.unprocessed_keys.and_then(|mut all| all.remove(table));
        keys = left.map(|left| left.keys).unwrap_or_default();
    }
    if keys.is_empty() {
        return Ok(found);
    }
    Err(StoreError::Unavailable(Box::new(Fault::new(CALL, "keys are left unanswered"))))
}
