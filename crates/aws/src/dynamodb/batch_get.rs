//! The DynamoDB call BatchGetItem, which reads many items by their keys. DynamoDB may return some
//! keys as *unprocessed*; this module requests them again.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use docferry_app::ports::StoreError;

use super::items::corrupt;
use super::keys::Item;
use crate::Fault;

/// Maximum number of keys in one BatchGetItem.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
pub(super) const MAX_KEYS: usize = 100;

/// Maximum number of calls. Keys that are still unprocessed after these calls are an error.
const MAX_TRIES: u32 = 8;

/// Reads the items with these keys, in any order. Keys without an item are skipped. At most
/// [`MAX_KEYS`] keys are allowed.
pub(super) async fn batch_get(
    client: &Client,
    table: &str,
    mut keys: Vec<Item>,
    consistent: bool,
) -> Result<Vec<Item>, StoreError> {
    const CALL: &str = "DynamoDB BatchGetItem";
    let mut found = Vec::new();
    for tries in 0..MAX_TRIES {
        if keys.is_empty() {
            return Ok(found);
        }
        if tries > 0 {
            // DynamoDB leaves keys unprocessed if it throttles the table. The delay doubles before
            // each further call.
            tokio::time::sleep(Duration::from_millis(10 << tries)).await;
        }
        let query = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(consistent);
        let query = query.build().map_err(|_| corrupt("key"))?;
        let response =
            Box::pin(client.batch_get_item().request_items(table, query).send())
                .await
                .map_err(|error| StoreError::Unavailable(Box::new(Fault::of(CALL, &error))))?;
        found.extend(response.responses.and_then(|mut all| all.remove(table)).unwrap_or_default());
        let unprocessed = response.unprocessed_keys.and_then(|mut all| all.remove(table));
        keys = unprocessed.map(|unprocessed| unprocessed.keys).unwrap_or_default();
    }
    if keys.is_empty() {
        return Ok(found);
    }
    Err(StoreError::Unavailable(Box::new(Fault::new(CALL, "some keys remain unprocessed"))))
}
