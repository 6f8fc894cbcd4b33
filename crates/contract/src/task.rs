//! Input and output of the workflow's steps.
//!
//! Nothing stands here but ids and the few facts that the next Choice needs:
//! execution histories are kept for 90 days and read by many.

use docferry_domain::{Phase, Pool, TransferId};
use serde::{Deserialize, Serialize};

/// Input of an execution and of its steps but the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskInput {
    /// The transfer.
    pub transfer_id: TransferId,
    /// The attempt that the execution belongs to; part of its name.
    pub attempt: u32,
}

/// Output of `push`: nothing, the next step reads the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushOutput {}

/// Output of `poll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollOutput {
    /// Whether the document is in the exchange bucket, whole.
    pub arrived: bool,
    /// Seconds to wait before the next look; 0 when arrived.
    pub wait_seconds: u32,
    /// Where it goes on; null before it has arrived.
    pub pool: Option<Pool>,
}

/// Output of `upload` and of `publish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadOutput {
    /// Whether the delivery is verified and recorded.
    pub done: bool,
    /// Seconds to wait before the next call, at most 60; 0 to go on at once.
    pub wait_seconds: u32,
}

/// Input of `finalize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalizeInput {
    /// The transfer.
    pub transfer_id: TransferId,
    /// The attempt.
    pub attempt: u32,
    /// The error name that stopped the workflow: one of our codes or an AWS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Output of `finalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalizeOutput {
    /// The phase that the transfer ended in.
    pub status: Phase,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn task_input_is_exactly_the_id_and_the_attempt() {
        let input = json!({"transferId": "00000000000000000000000000000001", "attempt": 1});
        let parsed: TaskInput = serde_json::from_value(input.clone()).unwrap();
        assert_eq!(serde_json::to_value(&parsed).unwrap(), input);
    }

    #[test]
    fn outputs_carry_what_the_choices_read() {
        let poll = PollOutput { arrived: false, wait_seconds: 5, pool: None };
        assert_eq!(
            serde_json::to_value(poll).unwrap(),
            json!({"arrived": false, "waitSeconds": 5, "pool": null})
        );
        let poll = PollOutput { arrived: true, wait_seconds: 0, pool: Some(Pool::Download) };
        assert_eq!(serde_json::to_value(poll).unwrap()["pool"], "download");
        let upload = UploadOutput { done: true, wait_seconds: 0 };
        assert_eq!(serde_json::to_value(upload).unwrap(), json!({"done": true, "waitSeconds": 0}));
        let end = FinalizeOutput { status: Phase::Completed };
        assert_eq!(serde_json::to_value(end).unwrap(), json!({"status": "completed"}));
    }
}
