//! Direct changes of DynamoDB items, as an operator could make them: due times, deadlines, ends of
//! retention and slots. Tests use them to create situations that would otherwise take hours.

use crate::{Cloud, Item};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use docferry_aws::{DynamoTransferStore, StepFunctionsWorkflow};
use docferry_domain::slots::Pool;
use jiff::Timestamp;

/// Partitions of the index `unfinished` that hold transfers.
const TRANSFER_SHARDS: [&str; 4] = ["U0", "U1", "U2", "U3"];

impl Cloud {
    /// Returns the adapter with which the service itself accesses the table of transfers.
    #[must_use]
    pub fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.dynamodb.clone(), &self.stack.table)
    }

    /// Returns the adapter with which the service itself accesses the state machine.
    #[must_use]
    pub fn workflow(&self) -> StepFunctionsWorkflow {
        StepFunctionsWorkflow::new(self.sfn.clone(), &self.stack.state_machine_arn)
    }

    /// Makes all unfinished transfers due for the next sweep and returns their items. A transfer
    /// that is not returned has ended and is cleaned up.
    pub async fn make_due(&self) -> Vec<Item> {
        let now = jiff::Zoned::now().timestamp().as_millisecond().to_string();
        let mut unfinished_items = Vec::new();
        for shard in TRANSFER_SHARDS {
            for mut item in self.unfinished_items(shard).await {
                let key = ["pk", "sk"].map(|name| (name.to_owned(), item.remove(name).unwrap()));
                let request = self
                    .dynamodb
                    .update_item()
                    .table_name(&self.stack.table)
                    .set_key(Some(key.into()))
                    .update_expression("SET dueAt = :now")
                    .condition_expression("attribute_exists(sweepShard)")
                    .expression_attribute_values(":now", AttributeValue::N(now.clone()))
                    .return_values(ReturnValue::AllNew);
                match request.send().await {
                    Ok(updated) => unfinished_items.extend(updated.attributes),
                    Err(error) => {
                        // The transfer was cleaned up after the query.
                        let error = error.into_service_error();
                        assert!(error.is_conditional_check_failed_exception(), "{error:?}");
                    }
                }
            }
        }
        unfinished_items
    }

    /// Changes the end of the retention of a job.
    pub async fn set_job_retention(&self, job_id: &str, until: Timestamp) {
        let until = AttributeValue::S(until.to_string());
        self.set_attribute(&format!("T#{job_id}"), "META", "keepUntil", until).await;
    }

    /// Changes the end of the retention of an object in the delivery bucket.
    pub async fn set_object_retention(&self, key: &str, until: Timestamp) {
        let until = AttributeValue::N(until.as_millisecond().to_string());
        for name in ["retainUntil", "dueAt"] {
            self.set_attribute(&format!("A#{key}"), "ARTIFACT", name, until.clone()).await;
        }
    }

    /// Changes the deadline of a transfer.
    pub async fn set_deadline(&self, transfer_id: &str, deadline: Timestamp) {
        let deadline = AttributeValue::S(deadline.to_string());
        self.set_attribute(&format!("T#{transfer_id}"), "META", "deadline", deadline).await;
    }

    /// Changes an attribute, which must exist.
    async fn set_attribute(&self, pk: &str, sk: &str, name: &str, value: AttributeValue) {
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.stack.table)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .update_expression("SET #name = :value")
            .condition_expression("attribute_exists(#name)")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value);
        request.send().await.unwrap();
    }

    /// Deletes all items of the table except the slots.
    pub async fn clear_table(&self) {
        for mut item in self.items().await {
            if item.get("sk").is_some_and(|sk| sk.as_s().is_ok_and(|sk| sk == "SLOTS")) {
                continue;
            }
            let key = ["pk", "sk"].map(|name| (name.to_owned(), item.remove(name).unwrap()));
            let request = self.dynamodb.delete_item().table_name(&self.stack.table);
            request.set_key(Some(key.into())).send().await.unwrap();
        }
    }

    /// Assigns `count` slots of a pool to holders that do not exist, so that all transfers
    /// have to wait.
    pub async fn hold_slots(&self, pool: Pool, count: usize) {
        for number in 0..count {
            let change = format!("SET {} = :holder", placeholder_attribute(number));
            self.change_slots(pool, &change, true).await;
        }
    }

    /// Releases the slots that [`Cloud::hold_slots`] assigned, and invokes the sweeper, which
    /// grants them to queued transfers.
    pub async fn release_held_slots(&self, pool: Pool, count: usize) {
        for number in 0..count {
            let change = format!("REMOVE {}", placeholder_attribute(number));
            self.change_slots(pool, &change, false).await;
        }
        let _swept = self.invoke("sweep", &serde_json::json!({})).await;
    }

    /// Changes the slots of a pool by an update expression. `sets_holder` says whether the
    /// expression uses the value `:holder`.
    async fn change_slots(&self, pool: Pool, update_expression: &str, sets_holder: bool) {
        let mut request = self
            .dynamodb
            .update_item()
            .table_name(&self.stack.table)
            .key("pk", AttributeValue::S(format!("S#{}", pool.as_str())))
            .key("sk", AttributeValue::S("SLOTS".into()))
            .update_expression(update_expression);
        if sets_holder {
            let holder = AttributeValue::S("placeholder".into());
            request = request.expression_attribute_values(":holder", holder);
        }
        request.send().await.unwrap();
    }

    /// Returns the items of one partition of the index `unfinished`.
    async fn unfinished_items(&self, shard: &str) -> Vec<Item> {
        let request = self.dynamodb.query().table_name(&self.stack.table).index_name("unfinished");
        let request = request.key_condition_expression("sweepShard = :shard");
        let request =
            request.expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()));
        let mut pages = request.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }
}

/// Returns the name of the attribute for one slot holder. The name contains a transfer id that does
/// not exist.
fn placeholder_attribute(number: usize) -> String {
    format!("h{number:032x}")
}
