//! What an operator can see and move in the cloud while transfers run.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use docferry_aws::{DynamoTransferStore, StepFunctionsWorkflow};

use docferry_domain::Pool;

use jiff::Timestamp;

use crate::{Cloud, Item};

const SHARDS: [&str; 4] = ["U0", "U1", "U2", "U3"];

impl Cloud {
    /// The table, as the service's functions use it.
    #[must_use]
    pub fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.dynamodb.clone(), &self.stack.table)
    }

    /// The workflow, as the service's functions start it.
    #[must_use]
    pub fn workflow(&self) -> StepFunctionsWorkflow {
        StepFunctionsWorkflow::new(self.sfn.clone(), &self.stack.state_machine_arn)
    }

    /// Makes everything that somebody may have to look after due for the next sweep,
    /// and returns it as it stands: what is not among it is clean.
    pub async fn make_due(&self) -> Vec<Item> {
        let now = jiff::Zoned::now().timestamp().as_millisecond().to_string();
        let mut standing = Vec::new();
        for shard in SHARDS {
            for mut item in self.unfinished(shard).await {
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
                    Ok(updated) => standing.extend(updated.attributes),
                    Err(error) => {
                        let error = error.into_service_error();
                        assert!(error.is_conditional_check_failed_exception(), "{error:?}");
                    }
                }
            }
        }
        standing
    }

    /// Keeps what a job has delivered until then, and not as long as it was promised.
    pub async fn keep_until(&self, job_id: &str, until: Timestamp) {
        let until = AttributeValue::S(until.to_string());
        self.set(&format!("T#{job_id}"), "META", "keepUntil", until).await;
    }

    /// The same of an object in the delivery bucket.
    pub async fn keep_object_until(&self, key: &str, until: Timestamp) {
        let until = AttributeValue::N(until.as_millisecond().to_string());
        for name in ["retainUntil", "dueAt"] {
            self.set(&format!("A#{key}"), "ARTIFACT", name, until.clone()).await;
        }
    }

    /// Has a transfer end by then at the latest.
    pub async fn end_by(&self, transfer_id: &str, deadline: Timestamp) {
        let deadline = AttributeValue::S(deadline.to_string());
        self.set(&format!("T#{transfer_id}"), "META", "deadline", deadline).await;
    }

    async fn set(&self, pk: &str, sk: &str, name: &str, value: AttributeValue) {
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

    /// Removes everything from the table but who holds a slot.
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

    /// Gives so many slots of a pool to nobody, so that whoever asks has to wait.
    pub async fn hold_slots(&self, pool: Pool, count: usize) {
        for n in 0..count {
            self.change_slots(pool, &format!("SET {} = :nobody", holder(n)), true).await;
        }
    }

    /// Gives them back, and lets in who waits.
    pub async fn give_slots_back(&self, pool: Pool, count: usize) {
        for n in 0..count {
            self.change_slots(pool, &format!("REMOVE {}", holder(n)), false).await;
        }
        let _swept = self.invoke("sweep", &serde_json::json!({})).await;
    }

    async fn change_slots(&self, pool: Pool, change: &str, sets: bool) {
        let text = |text: String| AttributeValue::S(text);
        let mut request = self
            .dynamodb
            .update_item()
            .table_name(&self.stack.table)
            .key("pk", text(format!("S#{}", pool.as_str())))
            .key("sk", text("SLOTS".into()))
            .update_expression(change);
        if sets {
            request = request.expression_attribute_values(":nobody", text("nobody".into()));
        }
        request.send().await.unwrap();
    }

    async fn unfinished(&self, shard: &str) -> Vec<Item> {
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

    /// Keys in the exchange bucket that begin so, and when their objects were written,
    /// in whole seconds since 1970.
    pub async fn objects(&self, beginning: &str) -> Vec<(String, i64)> {
        let bucket = &self.stack.exchange.bucket;
        let request = self.exchange.list_objects_v2().bucket(bucket).prefix(beginning);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents.unwrap_or_default() {
                found.push((object.key.unwrap(), object.last_modified.unwrap().secs()));
            }
        }
        found
    }
}

/// The attribute of a holder that is nobody.
fn holder(n: usize) -> String {
    format!("h{n:032x}")
}
