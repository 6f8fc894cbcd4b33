//! The document registry: a separate DynamoDB table with the records of documents and the grants
//! of persons.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `doc#{id}` | `record` | a record, with its `version` |
//! | `file#{fileId}`, `guid#{objGuid}` | `record` | copies, for the look-up by number and by GUID |
//! | `subject#{system}\|{value}` | `{indexed}#{id}` | a copy, while the document is listed |
//! | `grant#{person}` | `subject#{system}\|{value}`, `group#{group}` | a grant |
//! | `withdrawals` | `{withdrawnAt}#{id}` | work: a withdrawal whose copies are to be deleted |
//!
//! One transaction writes all copies of a record, so they always agree. Each copy has the same
//! `version`, and a write is conditional on the version that it has read in any of them.
//!
//! The table has no TTL attribute: records have no end, and operators see expired grants.

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
    /// Operator or system that writes, for the audit trail.
    writer: Option<String>,
}

impl DynamoRegistry {
    /// Creates a registry in `table`, whose primary key consists of the strings `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()), writer: None }
    }

    /// Names the operator or system whose withdrawals the registry writes, for the audit trail.
    #[must_use]
    pub fn written_by(self, writer: impl Into<String>) -> Self {
        Self { writer: Some(writer.into()), ..self }
    }
}
