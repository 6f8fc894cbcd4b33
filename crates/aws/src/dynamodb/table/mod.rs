//! Access to one DynamoDB table: reads, conditional writes with retries, and the actions of
//! transactions.
//!
//! The modules of the store read and write items only through [`Table`]. A write whose condition
//! fails returns [`WriteFailure::Condition`](super::write_failure::WriteFailure::Condition) with the
//! current item.

mod actions;
mod read;
mod write;

use aws_sdk_dynamodb::Client;

use super::keys::Item;

/// Handle to one DynamoDB table. It retries conflicts and throttled transactions, and
/// translates the errors of DynamoDB.
#[derive(Debug, Clone)]
pub(in crate::dynamodb) struct Table {
    client: Client,
    name: String,
}

/// Sort keys of a query, both ends included.
#[derive(Debug, Clone, Copy)]
pub(in crate::dynamodb) struct SortKeyRange<'a> {
    pub(in crate::dynamodb) first: &'a str,
    pub(in crate::dynamodb) last: &'a str,
    /// Whether the items with the last sort keys come first.
    pub(in crate::dynamodb) is_descending: bool,
}

/// Items that one query has read.
#[derive(Debug)]
pub(in crate::dynamodb) struct Page {
    pub(in crate::dynamodb) items: Vec<Item>,
    /// Key of the last item that the query read, if there may be more items.
    pub(in crate::dynamodb) last_key: Option<Item>,
}

impl Table {
    pub(in crate::dynamodb) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }
}
