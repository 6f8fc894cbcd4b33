//! The document registry: a separate DynamoDB table with the records of documents and the grants
//! of persons.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `doc#{id}` | `record` | a record, with its `version` |
//! | `file#{fileId}`, `guid#{objGuid}` | `record` | copies, for the look-up by number and by GUID |
//! | `subject#{system}\|{value}` | `{indexed}#{id}` | a copy, while the document is listed |
//! | `grant#{person}` | `subject#{system}\|{value}`, `group#{group}` | a grant |
//! | `withdrawals` | `{withdrawnAt}#{id}` | a withdrawal that the sweeper has not completed yet |
//!
//! A *subject* is the court file or patient that a document concerns. A *grant* is the right of a
//! person to see the documents of a subject or group. A *withdrawal* makes a document unavailable
//! for good; the *sweeper* (the background repair) then deletes its copies in the delivery bucket.
//!
//! One transaction writes all copies of a record, so they always agree. Each copy has the same
//! `version`, the number of writes of the record. A write fails if the version has changed since
//! the record was read.
//!
//! The table has no TTL attribute, because records never expire and operators want to see expired
//! grants.

mod grants;
mod items;
mod number_index;
mod read;
mod work;
mod write;

use aws_sdk_dynamodb::Client;

use super::table::Table;

pub use number_index::{DynamoNumberIndex, NumberedDocument};

/// Document registry in one DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoRegistry {
    table: Table,
    /// Operator or system that uses this registry to write, for the audit records of withdrawals.
    writer: Option<String>,
}

impl DynamoRegistry {
    /// Creates a registry in `table`, whose primary key consists of the strings `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()), writer: None }
    }

    /// Sets the operator or system that writes. Audit records of withdrawals contain this name.
    #[must_use]
    pub fn written_by(self, writer: impl Into<String>) -> Self {
        Self { writer: Some(writer.into()), ..self }
    }
}
