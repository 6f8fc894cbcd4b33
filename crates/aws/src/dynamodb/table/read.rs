//! Strongly consistent reads of a table, and queries of its indexes.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use docferry_app::ports::StoreError;

use super::super::batch_get::{self, MAX_KEYS};
use super::super::conditional_update::{number, string};
use super::super::keys::Item;
use super::super::unfinished_index::{DUE, SHARD, UNFINISHED, parse_index_entry};
use super::{Page, SortKeyRange, Table};
use crate::Fault;

impl Table {
    /// Reads an item with strong consistency.
    pub(in crate::dynamodb) async fn get(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key));
        match Box::pin(request.consistent_read(true).send()).await {
            Ok(response) => Ok(response.item),
            Err(error) => {
                Err(StoreError::Unavailable(Box::new(Fault::of("DynamoDB GetItem", &error))))
            }
        }
    }

    /// Lists the keys in one shard of the index `unfinished` that are due before `before`
    /// (milliseconds since 1970), each with its due time. The result has at most `limit` keys, the
    /// earliest first.
    pub(in crate::dynamodb) async fn due(
        &self,
        shard: &str,
        before: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Item)>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(UNFINISHED)
            .key_condition_expression("#shard = :shard AND #due < :before")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":shard", string(shard))
            .expression_attribute_values(":before", number(before));
        let found = pages(request, limit).await?;
        Ok(found.iter().filter_map(parse_index_entry).collect())
    }

    /// Lists at most `limit` items of a partition with sort keys from `from` to `to`, in ascending
    /// order. The read is strongly consistent.
    pub(in crate::dynamodb) async fn range(
        &self,
        partition: String,
        from: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        pages(self.range_query(partition, from, to), limit).await
    }

    /// Reads at most `limit` items of a partition in one call. The read is strongly consistent.
    ///
    /// It begins after the key `start`, which need not exist but must be inside the range.
    pub(in crate::dynamodb) async fn page(
        &self,
        partition: String,
        range: SortKeyRange<'_>,
        start: Option<Item>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let request = self
            .range_query(partition, range.first, range.last)
            .scan_index_forward(!range.is_descending)
            .set_exclusive_start_key(start);
        query_once(request, limit).await
    }

    /// Builds a strongly consistent query of the items of a partition with sort keys from `from` to
    /// `to`.
    fn range_query(&self, partition: String, from: &str, to: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", string(partition))
            .expression_attribute_values(":from", string(from))
            .expression_attribute_values(":to", string(to))
    }

    /// Lists items as [`Table::range`] does, but without the item whose sort key is `after`.
    pub(in crate::dynamodb) async fn range_after(
        &self,
        partition: String,
        after: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = self.range(partition, after, to, limit + 1).await?;
        found.retain(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) != Some(&after.into()));
        found.truncate(limit);
        Ok(found)
    }

    /// Lists at most `limit` keys in one partition of an index, in descending order of their sort
    /// keys. The index may lag behind the table.
    ///
    /// `partition` and `before` are pairs of attribute name and value. Only sort keys below the
    /// value of `before` are listed.
    pub(in crate::dynamodb) async fn newest(
        &self,
        index: &str,
        (partition_name, partition): (&str, &str),
        (sort_name, before): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .scan_index_forward(false)
            .key_condition_expression("#pk = :pk AND #sk < :before")
            .expression_attribute_names("#pk", partition_name)
            .expression_attribute_names("#sk", sort_name)
            .expression_attribute_values(":pk", string(partition))
            .expression_attribute_values(":before", string(before));
        pages(request, limit).await
    }

    /// Reads the items with these keys, in any order. Keys without an item are skipped. The read is
    /// strongly consistent.
    pub(in crate::dynamodb) async fn batch(
        &self,
        keys: Vec<Item>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(MAX_KEYS) {
            found.extend(
                batch_get::batch_get(&self.client, &self.name, chunk.to_vec(), true).await?,
            );
        }
        Ok(found)
    }
}

/// Runs a query page by page and returns at most `limit` items.
async fn pages(request: QueryFluentBuilder, limit: usize) -> Result<Vec<Item>, StoreError> {
    let (mut found, mut start_key) = (Vec::new(), None);
    while found.len() < limit {
        let page = request.clone().set_exclusive_start_key(start_key);
        let Page { items, last_key } = query_once(page, limit).await?;
        found.extend(items);
        start_key = last_key;
        if start_key.is_none() {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Runs a query once. It reads at most `limit` items and at most one megabyte.
async fn query_once(request: QueryFluentBuilder, limit: usize) -> Result<Page, StoreError> {
    let request = request.limit(i32::try_from(limit).unwrap_or(i32::MAX));
    match Box::pin(request.send()).await {
        Ok(page) => {
            Ok(Page { items: page.items.unwrap_or_default(), last_key: page.last_evaluated_key })
        }
        Err(error) => Err(StoreError::Unavailable(Box::new(Fault::of("DynamoDB Query", &error)))),
    }
}
