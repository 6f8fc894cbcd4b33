use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use docferry_app::ports::{DocumentIndex, IndexedDocument, StoreError};
use docferry_domain::FileId;

use super::batch::{self, MOST_KEYS};
use super::change::{number, string};
use super::items::Item;
use crate::Fault;

/// Calls after which items that are still not written count as a store that does not.
const TRIES: u32 = 8;

/// Most items of one BatchWriteItem.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.
const MOST_WRITES: usize = 25;

/// The [`DocumentIndex`] as a table with the number key `fileId`.
#[derive(Debug, Clone)]
pub struct DynamoDocumentIndex {
    client: Client,
    table: String,
}

impl DynamoDocumentIndex {
    /// The index in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Writes documents under their numbers, replacing what is there. No number may
    /// stand twice.
    ///
    /// # Errors
    /// Of the store; some of the documents may have been written, and all may be
    /// written again.
    pub async fn put(&self, documents: &[(FileId, IndexedDocument)]) -> Result<(), Fault> {
        const CALL: &str = "DynamoDB BatchWriteItem";
        for some in documents.chunks(MOST_WRITES) {
            let mut writes = some.iter().map(write).collect::<Result<Vec<_>, _>>()?;
            let mut tries = 0_u32;
            while !writes.is_empty() {
                if tries == TRIES {
                    return Err(Fault::new(CALL, "items are left unwritten"));
                }
                if tries > 0 {
                    // What a table does not take at once it takes a little later.
                    tokio::time::sleep(Duration::from_millis(50 << tries)).await;
                }
                tries += 1;
                let request = self.client.batch_write_item().request_items(&self.table, writes);
                let answer =
                    Box::pin(request.send()).await.map_err(|error| Fault::of(CALL, &error))?;
                let left = answer.unprocessed_items.and_then(|mut all| all.remove(&self.table));
                writes = left.unwrap_or_default();
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
        for some in files.chunks(MOST_KEYS) {
            let key = |file: &FileId| Item::from([("fileId".to_owned(), number(file.get()))]);
            let keys = some.iter().map(key).collect();
            for item in batch::batch_get(&self.client, &self.table, keys, false).await? {
                known.extend(read(&item));
            }
        }
        Ok(known)
    }
}

fn write((file, document): &(FileId, IndexedDocument)) -> Result<WriteRequest, Fault> {
    let mut put = PutRequest::builder()
        .item("fileId", number(file.get()))
        .item("objectGuid", string(document.object_guid.as_str()));
    if let Some(name) = &document.name {
        put = put.item("name", string(name));
    }
    if let Some(size) = document.size {
        put = put.item("size", number(size));
    }
    let put = put.build().map_err(|_| Fault::new("DynamoDB BatchWriteItem", "no item"))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// What an item says; one that says nothing of use counts as missing.
fn read(
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
