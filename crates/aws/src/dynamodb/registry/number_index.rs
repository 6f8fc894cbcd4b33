//! The index by number of docferry 0.1.0: a table that maps the number of a document to its GUID.
//! The registry has replaced this table. The command `docferry documents migrate` reads its entries
//! and copies them into the registry.

use aws_sdk_dynamodb::Client;
use docferry_domain::ids::{FileId, ObjectGuid};

use super::super::keys::Item;
use crate::Fault;

/// Entry of the index by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedDocument {
    /// Number of the document.
    pub file_id: FileId,
    /// Id of the document at its source.
    pub object_guid: ObjectGuid,
    /// File name, where known.
    pub name: Option<String>,
    /// Size in bytes, where known.
    pub size: Option<u64>,
}

/// Reader of the index by number: a DynamoDB table with the partition key `fileId`.
#[derive(Debug, Clone)]
pub struct DynamoNumberIndex {
    client: Client,
    table: String,
}

impl DynamoNumberIndex {
    /// Creates a reader of `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads all valid entries, in no particular order. The second value is the number of invalid
    /// entries. An entry without a valid number or GUID is invalid; docferry 0.1.0 ignored such
    /// entries too.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn entries(&self) -> Result<(Vec<NumberedDocument>, usize), Fault> {
        let (mut entries, mut invalid, mut start_key) = (Vec::new(), 0, None);
        loop {
            let request = self.client.scan().table_name(&self.table).consistent_read(true);
            let response = Box::pin(request.set_exclusive_start_key(start_key).send());
            let response = response.await.map_err(|error| Fault::of("DynamoDB Scan", &error))?;
            for item in response.items.unwrap_or_default() {
                match read_entry(&item) {
                    Some(entry) => entries.push(entry),
                    None => invalid += 1,
                }
            }
            start_key = response.last_evaluated_key;
            if start_key.is_none() {
                return Ok((entries, invalid));
            }
        }
    }
}

fn read_entry(item: &Item) -> Option<NumberedDocument> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let digits = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
    Some(NumberedDocument {
        file_id: FileId::new(digits("fileId")?),
        object_guid: text("objectGuid")?.parse().ok()?,
        name: text("name").cloned(),
        size: digits("size"),
    })
}
