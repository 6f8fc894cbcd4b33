//! The index of transfers and bundles that somebody may have to look after.
//!
//! Sparse, with keys only: a transfer is in it from its creation until nothing is
//! left of it, and checkpoints are not replicated into it.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{Due, StoreError};
use docferry_domain::TransferId;
use jiff::Timestamp;

use super::artifacts;
use super::change::{Change, number};
use super::items::{DUE, SHARD, SHARDS, artifact_key, bundle_key, read_named, transfer_key, ttl};
use super::table::Table;

pub(super) async fn list(
    table: &Table,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let mut found = Vec::new();
    for shard in SHARDS {
        let named = table.due(shard, now.as_millisecond(), limit).await?;
        found.extend(named.iter().filter_map(|(due, key)| Some((*due, read_named(key)?))));
    }
    // Each shard comes in order; together they are put in order here.
    found.sort();
    Ok(found.into_iter().map(|(_, named)| named).take(limit).collect())
}

pub(super) async fn postpone(table: &Table, what: &Due, due: Timestamp) -> Result<(), StoreError> {
    let later = Change::default().set(DUE, number(due.as_millisecond()));
    let (key, later) = match what {
        Due::Transfer(id) => (transfer_key(id), later),
        Due::Bundle(id) => (bundle_key(id), later),
        Due::Artifact(key) => (artifact_key(key), artifacts::rescheduled(due)),
    };
    let later = later.when(format!("attribute_exists(#{SHARD})"));
    match table.update(key, later).await {
        Ok(_) => Ok(()),
        // Clean already, or gone.
        Err(refusal) => refusal.stood().map(drop),
    }
}

pub(super) async fn mark_settled(
    table: &Table,
    id: &TransferId,
    attempt: u32,
) -> Result<(), StoreError> {
    refused_or_done(table, id, settled(attempt)).await
}

pub(super) async fn mark_clean(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    purge_at: Timestamp,
) -> Result<(), StoreError> {
    let clean = settled(attempt)
        .remove(&[SHARD, DUE])
        .set("expiresAt", ttl(purge_at))
        .when(format!("attribute_exists(#{SHARD})"));
    refused_or_done(table, id, clean).await
}

fn settled(attempt: u32) -> Change {
    Change::default()
        .set("settled", AttributeValue::Bool(true))
        .when("attribute_exists(#endedAt) AND #attempt = :attempt")
        .value("attempt", number(attempt))
}

async fn refused_or_done(table: &Table, id: &TransferId, change: Change) -> Result<(), StoreError> {
    match table.update(transfer_key(id), change).await {
        Ok(_) => Ok(()),
        Err(refusal) => refusal.stood().map(drop),
    }
}
