//! The audit trail of the deployed system, as its operators read it.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::wait::eventually;
use crate::{Cloud, Stack, docferry, stdout_of_success};

/// Time until a record is archived. The local system archives records without delay.
const ARCHIVE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Finds records of the archive with `docferry audit find`.
pub async fn find_audit_records(stack: &Stack, conditions: &[&str]) -> Vec<Value> {
    let arguments: Vec<_> = ["--json", "audit", "find", "--stack", "docferry-local"]
        .into_iter()
        .chain(conditions.iter().copied())
        .collect();
    let text = stdout_of_success(&docferry(stack, &arguments).await);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until the archive has at least `count` records that meet the conditions, and returns them.
pub async fn wait_for_audit_records(
    stack: &Stack,
    conditions: &[&str],
    count: usize,
) -> Vec<Value> {
    eventually("the records are archived", ARCHIVE_TIMEOUT, async || {
        let found = find_audit_records(stack, conditions).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

impl Cloud {
    /// Makes the denials of a caller due, and lets the sweeper send them.
    ///
    /// # Panics
    /// If no denial of the caller was recorded.
    pub async fn send_denials(&self, actor: &str) {
        let mut pages = self
            .dynamodb
            .scan()
            .table_name(&self.stack.audit_table)
            .into_paginator()
            .items()
            .send();
        let mut count = 0;
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            let is_unsent = item.contains_key("sweepShard");
            if !is_unsent || item.get("actor") != Some(&AttributeValue::S(actor.to_owned())) {
                continue;
            }
            count += 1;
            let update = self
                .dynamodb
                .update_item()
                .table_name(&self.stack.audit_table)
                .key("pk", item["pk"].clone())
                .key("sk", item["sk"].clone())
                .update_expression("SET dueAt = :due")
                .expression_attribute_values(":due", AttributeValue::N("0".to_owned()));
            update.send().await.unwrap();
        }
        assert!(count > 0, "no denial of the caller was recorded");
        self.invoke("sweep", &json!({})).await.unwrap();
    }
}
