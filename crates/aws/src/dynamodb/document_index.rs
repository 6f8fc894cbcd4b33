//! Document index: a separate DynamoDB table that maps document numbers to the GUIDs of documents.
//!
//! Callers of the downloads API name documents by number. The document source knows them by GUID.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use docferry_app::ports::{DocumentIndex, IndexedDocument, StoreError};
use docferry_domain::ids::FileId;

use super::batch_get::{self, MAX_KEYS};
use super::conditional_update::{number, string};
use super::items::Item;
use crate::Fault;

/// Maximum number of calls for one chunk of items. If some of its items are still unwritten after
/// these calls, the write fails.
const MAX_TRIES: u32 = 8;

/// Maximum number of items in one BatchWriteItem. Source:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.
const MAX_WRITES: usize = 25;

/// [`DocumentIndex`] in a table whose partition key is the number `fileId`.
#[derive(Debug, Clone)]
pub struct DynamoDocumentIndex {
    client: Client,
    table: String,
}

impl DynamoDocumentIndex {
    /// Creates an index in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Writes documents under their numbers and replaces existing entries. Each number may occur
    /// only once.
    ///
    /// # Errors
    /// If DynamoDB fails. Some documents may have been written then. It is safe to write all of
    /// them again.
    pub async fn put(&self, documents: &[(FileId, IndexedDocument)]) -> Result<(), Fault> {
        const CALL: &str = "DynamoDB BatchWriteItem";
        for chunk in documents.chunks(MAX_WRITES) {
            let mut writes = chunk.iter().map(write_request).collect::<Result<Vec<_>, _>>()?;
            let mut tries = 0_u32;
            while !writes.is_empty() {
                if tries == MAX_TRIES {
                    return Err(Fault::new(CALL, "some items remain unwritten"));
                }
                if tries > 0 {
                    // DynamoDB leaves items unprocessed if it throttles the table, so the calls
                    // back off exponentially.
                    tokio::time::sleep(Duration::from_millis(50 << tries)).await;
                }
                tries += 1;
                let request = self.client.batch_write_item().request_items(&self.table, writes);
                let response =
                    Box::pin(request.send()).await.map_err(|error| Fault::of(CALL, &error))?;
                let unprocessed =
                    response.unprocessed_items.and_then(|mut all| all.remove(&self.table));
                writes = unprocessed.unwrap_or_default();
            }
        }
        Ok(())
    }
}

impl DocumentIndex for DynamoDocumentIndex {
    async fn look_up(
        &self,
        files: &[FileId],
    ) -> Result<BTreeMap<FileId, IndexedDocument>, StoreError> {
        let mut known = BTreeMap::new();
        for chunk in files.chunks(MAX_KEYS) {
            let key = |file: &FileId| Item::from([("fileId".to_owned(), number(file.get()))]);
            let keys = chunk.iter().map(key).collect();
            // The read is eventually consistent, which costs half as much.
            for item in batch_get::batch_get(&self.client, &self.table, keys, false).await? {
                known.extend(read_entry(&item));
            }
        }
        Ok(known)
    }
}

/// Builds the request that writes an entry of the index.
fn write_request((file, document): &(FileId, IndexedDocument)) -> Result<WriteRequest, Fault> {
    let mut put = PutRequest::builder()
        .item("fileId", number(file.get()))
        .item("objectGuid", string(document.object_guid.as_str()));
    if let Some(name) = &document.name {
        put = put.item("name", string(name));
    }
    if let Some(size) = document.size {
        put = put.item("size", number(size));
    }
    let put = put
        .build()
        .map_err(|_| Fault::new("DynamoDB BatchWriteItem", "the item could not be built"))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// Parses an entry of the index. An entry without a valid number or GUID counts as missing.
fn read_entry(
    item: &HashMap<String, aws_sdk_dynamodb::types::AttributeValue>,
) -> Option<(FileId, IndexedDocument)> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let digits = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
    let document = IndexedDocument {
        object_guid: text("objectGuid")?.parse().ok()?,
        name: text("name").cloned(),
        size: digits("size"),
    };
    Some((FileId::new(digits("fileId")?), document))
}
