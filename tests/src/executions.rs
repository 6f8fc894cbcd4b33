//! Executions of the Step Functions state machine that runs transfers, and the histories of the
//! executions.

use aws_sdk_sfn as sfn;
use serde_json::{Value, json};

use crate::{Cloud, SHORT_TIMEOUT, eventually};

/// History of a Step Functions execution.
#[derive(Debug)]
pub struct History {
    events: Vec<Value>,
}

impl History {
    /// Names of the states in the order in which they were entered.
    #[must_use]
    pub fn states(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str())
            .collect()
    }

    /// Number of times that a state was entered.
    #[must_use]
    pub fn entered(&self, state: &str) -> usize {
        self.states().iter().filter(|name| **name == state).count()
    }

    /// Outputs of all runs of a state, in order.
    #[must_use]
    pub fn outputs(&self, state: &str) -> Vec<Value> {
        let details = self.events.iter().map(|event| &event["stateExitedEventDetails"]);
        details
            .filter(|details| details["name"] == state)
            .map(|details| serde_json::from_str(details["output"].as_str().unwrap()).unwrap())
            .collect()
    }

    /// Error names of failed function calls, in order.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| event["taskFailedEventDetails"]["error"].as_str())
            .collect()
    }

    /// Times at which functions crashed, in milliseconds since 1970.
    #[must_use]
    pub fn crashes(&self) -> Vec<i64> {
        // `ExitError`: the process died during an invocation. `Unknown`: it died while it started.
        let is_crash = |event: &&Value| {
            let error = &event["taskFailedEventDetails"]["error"];
            error == "Runtime.ExitError" || error == "Runtime.Unknown"
        };
        // A timestamp is a text, or the number of seconds since 1970.
        let milliseconds = |event: &Value| match &event["timestamp"] {
            Value::String(text) => text.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit into an i64")]
            seconds => (seconds.as_f64().unwrap() * 1000.0) as i64,
        };
        self.events.iter().filter(is_crash).map(milliseconds).collect()
    }

    /// The whole history as text.
    #[must_use]
    pub fn text(&self) -> String {
        Value::from(self.events.as_slice()).to_string()
    }
}

impl Cloud {
    /// Returns the ARN of an execution of a transfer.
    fn execution_arn(&self, transfer_id: &str, execution_number: u32) -> String {
        let arn = self.stack.state_machine_arn.replace(":stateMachine:", ":execution:");
        format!("{arn}:{transfer_id}-{execution_number}")
    }

    /// Stops an execution of a transfer from outside. A stopped execution enters no further state,
    /// so it does not record the end of the transfer. Returns the time of the stop in milliseconds
    /// since 1970, or `None` if the execution was not running.
    pub async fn stop_execution(&self, transfer_id: &str, execution_number: u32) -> Option<i64> {
        let arn = self.execution_arn(transfer_id, execution_number);
        let described = self.sfn.describe_execution().execution_arn(&arn).send().await.ok()?;
        if described.status != sfn::types::ExecutionStatus::Running {
            return None;
        }
        let stopped = self.sfn.stop_execution().execution_arn(arn).send().await.ok()?;
        stopped.stop_date.to_millis().ok()
    }

    /// Waits until the first execution of a transfer has ended and returns its status.
    pub async fn wait_for_execution(&self, transfer_id: &str) -> String {
        let arn = self.execution_arn(transfer_id, 1);
        eventually("the execution ends", SHORT_TIMEOUT, async || {
            let request = self.sfn.describe_execution().execution_arn(&arn);
            let status = request.send().await.unwrap().status;
            (status != sfn::types::ExecutionStatus::Running).then(|| status.as_str().to_owned())
        })
        .await
    }

    /// Returns the names of all executions.
    pub async fn executions(&self) -> Vec<String> {
        let request = self.sfn.list_executions().state_machine_arn(&self.stack.state_machine_arn);
        let mut pages = request.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(execution) = pages.next().await {
            names.push(execution.unwrap().name);
        }
        names
    }

    /// Returns the history of the first execution of a transfer.
    ///
    /// The history is the raw JSON of the service, so that tests can search its whole text. The
    /// `Debug` output of the SDK's types hides inputs and outputs.
    pub async fn history(&self, transfer_id: &str) -> History {
        self.history_of(transfer_id, 1).await.expect("no such execution")
    }

    /// Returns the history of an execution of a transfer, or `None` if the execution was never
    /// started.
    pub async fn history_of(&self, transfer_id: &str, execution_number: u32) -> Option<History> {
        let mut events = Vec::new();
        let arn = self.execution_arn(transfer_id, execution_number);
        let mut request = json!({ "executionArn": arn });
        loop {
            let url = format!("{}/", self.stack.emulator);
            let call = self
                .http
                .post(url)
                .header("authorization", self.root_authorization("states"))
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amz-target", "AWSStepFunctions.GetExecutionHistory");
            let response = call.body(request.to_string()).send().await.unwrap();
            // The execution does not exist.
            if response.status() == reqwest::StatusCode::BAD_REQUEST {
                return None;
            }
            let page: Value = response.error_for_status().unwrap().json().await.unwrap();
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            match &page["nextToken"] {
                Value::Null => return Some(History { events }),
                token => request["nextToken"] = token.clone(),
            }
        }
    }
}
