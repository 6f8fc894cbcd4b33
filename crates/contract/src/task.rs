//! Input and output of the workflow's steps.
//!
//! The workflow is a Step Functions state machine that calls one Lambda function for each step of a
//! transfer. Inputs and outputs contain only ids and the few values that the next Choice state
//! needs, because AWS retains execution histories for 90 days and many people can read them.

use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Pool;
use serde::{Deserialize, Serialize};

/// Current version of the workflow definition. This definition handles every output in this module.
///
/// An *execution* is one run of the state machine for a transfer. An execution keeps the definition
/// with which it started. So after a deployment, an execution with an older definition may still
/// call the steps.
pub const DEFINITION: u32 = 2;

/// Error name with which a step reports that it cannot do its work yet. This is no failure, so the
/// name is no failure code. The workflow runs the step again. Definition 1 does not handle this
/// name, so the steps never report it to executions of definition 1.
pub const RETRY_LATER: &str = "RETRY_LATER";

/// Returns the definition of an execution that does not send its definition.
const fn first_definition() -> u32 {
    1
}

/// Input of an execution, and of each step except the last step `finalize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskInput {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Number of the execution, which is part of its name.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Version of the definition that calls the step. Definition 1 does not send this field.
    #[serde(default = "first_definition")]
    pub definition: u32,
}

/// Output of `push`. It is empty, because the next step reads the transfer from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushOutput {}

/// Output of `poll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollOutput {
    /// Whether the whole document is in the exchange bucket.
    pub arrived: bool,
    /// Seconds to wait before the next check. It is 0 when the document has arrived.
    pub wait_seconds: u32,
    /// Slot pool of the transfer, by which the workflow chooses the next step. It is null before
    /// the document has arrived.
    pub pool: Option<Pool>,
    /// Whether the source has to push the document again before the next check.
    pub push_again: bool,
}

/// Output of `upload` and of `publish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadOutput {
    /// Whether the delivery is verified and recorded.
    pub done: bool,
    /// Seconds to wait before the next call of the step, at most 60.
    pub wait_seconds: u32,
    /// Whether the workflow has to poll for the document again before the next call of the step,
    /// because the source object has disappeared or changed.
    pub source_lost: bool,
}

/// Input of `finalize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalizeInput {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Number of the execution.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Version of the definition that calls the step, as in [`TaskInput`].
    #[serde(default = "first_definition")]
    pub definition: u32,
    /// Name of the error that stopped the workflow: a failure code, or an error name of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Output of `finalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalizeOutput {
    /// Phase in which the transfer ended.
    pub status: Phase,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn task_input_contains_only_id_execution_and_definition() {
        let id = "00000000000000000000000000000001";
        let input = json!({"transferId": id, "attempt": 1, "definition": 2});
        let parsed: TaskInput = serde_json::from_value(input.clone()).unwrap();
        assert_eq!(serde_json::to_value(&parsed).unwrap(), input);
    }

    #[test]
    fn task_input_without_a_definition_means_definition_1() {
        let input = json!({"transferId": "00000000000000000000000000000001", "attempt": 1});
        let parsed: TaskInput = serde_json::from_value(input.clone()).unwrap();
        assert_eq!(parsed.definition, 1);
        let parsed: FinalizeInput = serde_json::from_value(input).unwrap();
        assert_eq!(parsed.definition, 1);
    }

    #[test]
    fn step_outputs_contain_the_fields_that_choice_states_read() {
        let poll = PollOutput { arrived: false, wait_seconds: 5, pool: None, push_again: false };
        assert_eq!(
            serde_json::to_value(poll).unwrap(),
            json!({"arrived": false, "waitSeconds": 5, "pool": null, "pushAgain": false})
        );

        let pool = Some(Pool::Download);
        let poll = PollOutput { arrived: true, wait_seconds: 0, pool, push_again: false };
        assert_eq!(serde_json::to_value(poll).unwrap()["pool"], "download");

        let upload = UploadOutput { done: true, wait_seconds: 0, source_lost: false };
        let expected = json!({"done": true, "waitSeconds": 0, "sourceLost": false});
        assert_eq!(serde_json::to_value(upload).unwrap(), expected);

        let finalize = FinalizeOutput { status: Phase::Completed };
        assert_eq!(serde_json::to_value(finalize).unwrap(), json!({"status": "completed"}));
    }
}
