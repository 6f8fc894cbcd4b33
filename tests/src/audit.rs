//! The audit trail of the deployed system, as its operators read it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::command::docferry_command;
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

/// Running `docferry audit tail --follow`. It is killed when it is dropped.
#[derive(Debug)]
pub struct FollowedTrail {
    program: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl FollowedTrail {
    /// Starts the command.
    ///
    /// # Panics
    /// If the command cannot be started.
    #[must_use]
    pub fn start(stack: &Stack) -> Self {
        let arguments = ["audit", "tail", "--follow", "-n", "1", "--stack", "docferry-local"];
        let mut command = docferry_command(stack, &arguments);
        let mut program = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { program, lines }
    }

    /// Waits for a line that contains this text, and returns it.
    ///
    /// # Panics
    /// If the command prints no such line in time.
    pub async fn wait_for(&mut self, text: &str) -> String {
        let find = async {
            loop {
                let line = self.lines.recv().await.unwrap();
                if line.contains(text) {
                    return line;
                }
            }
        };
        tokio::time::timeout(ARCHIVE_TIMEOUT, find).await.unwrap()
    }
}

impl Drop for FollowedTrail {
    fn drop(&mut self) {
        let _has_ended = self.program.kill();
        let _has_ended = self.program.wait();
    }
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
