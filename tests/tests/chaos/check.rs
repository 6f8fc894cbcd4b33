//! Checks of the transfers after a chaos round: every transfer has an allowed outcome. Each
//! violated invariant adds a description to a list, so that one run reports all of them.

use std::collections::BTreeMap;

use docferry_system_tests::{DeliveredFile, FailureCode, Item};

use crate::names::{execution_number, recipient_email, string_attribute};
use crate::plan::{PlannedTransfer, RECIPIENT_COUNT};
use crate::round::Round;

/// Failures that a transfer may report when many faults occur at once. Any other failure violates
/// an invariant. It may mean that wrong bytes were delivered, or that one transfer deleted the
/// exchange object of another transfer.
const ALLOWED_FAILURES: [FailureCode; 8] = [
    FailureCode::ArrivalTimeout,
    FailureCode::DestinationUnavailable,
    FailureCode::ExchangeUnavailable,
    // The workflow gave up, because the function of a step crashed in every try.
    FailureCode::Internal,
    FailureCode::SourceChanged,
    FailureCode::SourceInvalidAnswer,
    FailureCode::SourceSizeMismatch,
    FailureCode::SourceUnavailable,
];

/// Minimum number of crashes after which the workflow gives up a step.
const CRASHES_BEFORE_GIVING_UP: usize = 6;

/// Results of the checks of one round.
#[derive(Debug, Default)]
pub(crate) struct RoundResult {
    /// Descriptions of the violated invariants.
    pub(crate) violations: Vec<String>,
    /// Number of transfers.
    pub(crate) transfers: usize,
    /// Number of transfers by outcome: `completed`, `canceled` or a failure code.
    pub(crate) outcome_counts: BTreeMap<String, usize>,
    /// Recovery times in milliseconds, one for each transfer that needed recovery. A recovery
    /// time starts at the first crash of the execution or of a function of the transfer, and
    /// ends with the transfer. If the transfer's request got no response, the time starts at the
    /// creation of the transfer.
    pub(crate) recovery_ms: Vec<i64>,
}

impl Round {
    /// Checks all transfers that the round created, including the transfers whose creation
    /// was not confirmed because the response was lost.
    pub(crate) async fn check(&self) -> RoundResult {
        let tag = &self.sandbox.tag;
        let mut files = BTreeMap::new();
        for recipient in 0..RECIPIENT_COUNT {
            let email = recipient_email(tag, recipient);
            for file in self.sandbox.graph.files(&email).await {
                files.insert((email.clone(), file.path.clone()), file);
            }
        }
        let items = self.sandbox.cloud.items().await;
        let mut result = RoundResult::default();
        for record in &items {
            let Some(planned) = self.planned(record) else { continue };
            result.transfers += 1;
            let id = string_attribute(record, "transferId").unwrap();
            let mut violations = Vec::new();
            let outcome = self.check_transfer(&id, planned, record, &files, &mut violations).await;
            let crashes = self.crashes_of(&id, record).await;
            if outcome == FailureCode::Internal.as_str() && crashes.len() < CRASHES_BEFORE_GIVING_UP
            {
                violations.push(format!("gave up after {} crashes", crashes.len()));
            }
            *result.outcome_counts.entry(outcome).or_default() += 1;
            result
                .violations
                .extend(violations.into_iter().map(|violation| format!("{id}: {violation}")));
            result.recovery_ms.extend(self.recovery_of(&id, record, &crashes));
        }
        for id in self.accepted_ids.lock().unwrap().iter() {
            let has_id = |item: &Item| string_attribute(item, "transferId").as_ref() == Some(id);
            if !items.iter().any(has_id) {
                result.violations.push(format!("{id}: accepted, but not in the table"));
            }
        }
        result
    }

    /// Checks one transfer. Adds its violations to `violations` and returns its outcome (see
    /// [`RoundResult::outcome_counts`]).
    async fn check_transfer(
        &self,
        id: &str,
        planned: &PlannedTransfer,
        record: &Item,
        files: &BTreeMap<(String, String), DeliveredFile>,
        violations: &mut Vec<String>,
    ) -> String {
        let folder = string_attribute(record, "filePath").unwrap();
        let document = &self.documents[planned.document_index];
        let tag = &self.sandbox.tag;
        let path = format!("{folder}/{}", self.document_file_name(planned.document_index));
        let file = files.get(&(recipient_email(tag, planned.recipient), path));
        let status = self.sandbox.api.status(id).await;
        let failure_message = status.last_error_message.clone().unwrap_or_default();
        let phase = string_attribute(record, "phase").unwrap();
        let mut expect = |is_met: bool, violation: &str| {
            if !is_met {
                violations.push(format!("{violation}: {phase} {status:?} {file:?}"));
            }
        };
        let timestamp =
            |name: &str| string_attribute(record, name)?.parse::<jiff::Timestamp>().ok();
        expect(timestamp("endedAt") <= timestamp("deadline"), "ended after its deadline");
        expect(status.has_ended(), "the status has no end");
        match phase.as_str() {
            "completed" => {
                expect(!status.error && status.percent_transfered == 100, "wrong status");
                let has_expected_hash = |file: &DeliveredFile| file.sha256 == document.sha256;
                expect(file.is_some_and(has_expected_hash), "delivered bytes are wrong or missing");
                phase
            }
            "canceled" => {
                let was_requested =
                    self.canceled_ids.lock().unwrap().iter().any(|canceled| canceled == id);
                expect(was_requested, "canceled without a request");
                expect(status.error && file.is_none(), "canceled, but a file exists");
                phase
            }
            "failed" => {
                expect(status.error && file.is_none(), "failed, but a file exists");
                let code = FailureCode::ALL.iter().find(|code| code.message() == failure_message);
                expect(
                    code.is_some_and(|code| ALLOWED_FAILURES.contains(code)),
                    "unexpected failure",
                );
                code.map_or(failure_message, |code| code.as_str().to_owned())
            }
            _ => {
                expect(false, "has not ended");
                phase
            }
        }
    }

    /// Returns the times at which executions of a transfer were stopped or its functions crashed,
    /// in milliseconds since 1970.
    async fn crashes_of(&self, id: &str, record: &Item) -> Vec<i64> {
        let stopped_executions = self.stopped_executions.lock().unwrap().clone();
        let mut crashes: Vec<_> = stopped_executions
            .into_iter()
            .filter(|(transfer_id, _)| transfer_id == id)
            .map(|(_, stopped_at)| stopped_at)
            .collect();
        for execution_number in 1..=execution_number(record) {
            let history = self.sandbox.cloud.history_of(id, execution_number).await;
            crashes.extend(history.iter().flat_map(docferry_system_tests::History::crashes));
        }
        crashes
    }

    /// Returns the recovery time of a transfer in milliseconds (see
    /// [`RoundResult::recovery_ms`]), or `None` if the transfer needed no recovery.
    fn recovery_of(&self, id: &str, record: &Item, crashes: &[i64]) -> Option<i64> {
        let milliseconds = |name: &str| {
            Some(string_attribute(record, name)?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        };
        let was_accepted = self.accepted_ids.lock().unwrap().iter().any(|accepted| accepted == id);
        let created_at = milliseconds("createdAt").filter(|_| !was_accepted);
        let recovery_start = crashes.iter().copied().chain(created_at).min()?;
        Some(milliseconds("endedAt")? - recovery_start)
    }

    /// Returns the planned transfer to which this item belongs, if the item is the record of a
    /// transfer of this round. The record's folder contains the tag and the transfer's number.
    pub(crate) fn planned(&self, item: &Item) -> Option<&PlannedTransfer> {
        let folder = string_attribute(item, "filePath")
            .filter(|_| string_attribute(item, "sk").as_deref() == Some("META"))?;
        let number = folder.strip_prefix(&self.sandbox.tag)?.strip_prefix('/')?;
        self.plan.transfers.get(number.split('-').next()?.parse::<usize>().ok()?)
    }
}
