//! Invariants that are checked after a round.

use std::collections::BTreeMap;

use docferry_system_tests::{DeliveredFile, FailureCode, Item, Sandbox};

use crate::names::{execution_number, recipient_email, string_attribute};
use crate::plan::{PlannedTransfer, RECIPIENTS};
use crate::round::Round;

/// Failures that a transfer may report when many faults occur at once. Not allowed: a
/// source copy deleted by another transfer, wrong bytes, and a cancel without a request.
const ALLOWED_FAILURES: [FailureCode; 8] = [
    FailureCode::ArrivalTimeout,
    FailureCode::DestinationUnavailable,
    FailureCode::ExchangeUnavailable,
    // A function was killed more often than the workflow retries.
    FailureCode::Internal,
    FailureCode::SourceChanged,
    FailureCode::SourceInvalidAnswer,
    FailureCode::SourceSizeMismatch,
    FailureCode::SourceUnavailable,
];

/// Number of times that the workflow tries a step whose process dies.
const MIN_TRIES: usize = 6;

/// Results of the checks of one round.
#[derive(Debug, Default)]
pub(crate) struct RoundResult {
    /// Descriptions of violated invariants.
    pub(crate) violations: Vec<String>,
    /// Number of transfers.
    pub(crate) transfers: usize,
    /// Number of transfers by their outcome.
    pub(crate) endings: BTreeMap<String, usize>,
    /// Time in milliseconds from the first crash of a transfer's execution or functions to
    /// its end. If its request got no response, the time starts at its creation.
    pub(crate) recovery_ms: Vec<i64>,
}

impl Round {
    /// Checks all transfers that the round created, including those whose response was
    /// lost.
    pub(crate) async fn check(&self) -> RoundResult {
        let tag = &self.sandbox.tag;
        let mut files = BTreeMap::new();
        for person in 0..RECIPIENTS {
            let email = recipient_email(tag, person);
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
            let ending = self.check_transfer(&id, planned, record, &files, &mut violations).await;
            let crashes = self.crashes_of(&id, record).await;
            if ending == FailureCode::Internal.as_str() && crashes.len() < MIN_TRIES {
                violations.push(format!("gave up after {} crashes", crashes.len()));
            }
            *result.endings.entry(ending).or_default() += 1;
            result
                .violations
                .extend(violations.into_iter().map(|violation| format!("{id}: {violation}")));
            result.recovery_ms.extend(self.recovery_of(&id, record, &crashes));
        }
        for id in self.accepted_ids.lock().unwrap().iter() {
            let known = |item: &Item| string_attribute(item, "transferId").as_ref() == Some(id);
            if !items.iter().any(known) {
                result.violations.push(format!("{id}: accepted, but not in the table"));
            }
        }
        result
    }

    /// Checks one transfer. Adds violations to `violations` and returns the outcome.
    async fn check_transfer(
        &self,
        id: &str,
        planned: &PlannedTransfer,
        record: &Item,
        files: &BTreeMap<(String, String), DeliveredFile>,
        violations: &mut Vec<String>,
    ) -> String {
        let folder = string_attribute(record, "filePath").unwrap();
        let document = &self.documents[planned.document];
        let tag = &self.sandbox.tag;
        let path = format!("{folder}/{}", self.document_file_name(planned.document));
        let file = files.get(&(recipient_email(tag, planned.person), path));
        let status = self.sandbox.api.status(id).await;
        let failure = status.last_error_message.clone().unwrap_or_default();
        let phase = string_attribute(record, "phase").unwrap();
        let mut expect = |is_met: bool, violation: &str| {
            if !is_met {
                violations.push(format!("{violation}: {phase} {status:?} {file:?}"));
            }
        };
        let (ended_at, deadline) =
            (string_attribute(record, "endedAt"), string_attribute(record, "deadline"));
        let timestamp = |text: Option<String>| text?.parse::<jiff::Timestamp>().ok();
        expect(timestamp(ended_at) <= timestamp(deadline), "ended after its deadline");
        expect(status.has_ended(), "the status has no end");
        match phase.as_str() {
            "completed" => {
                expect(!status.error && status.percent_transfered == 100, "wrong status");
                let is_same = |file: &DeliveredFile| file.sha256 == document.sha256;
                expect(file.is_some_and(is_same), "delivered bytes are wrong or missing");
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
                let code = FailureCode::ALL.iter().find(|code| code.message() == failure);
                expect(
                    code.is_some_and(|code| ALLOWED_FAILURES.contains(code)),
                    "unexpected failure",
                );
                code.map_or(failure, |code| code.as_str().to_owned())
            }
            _ => {
                expect(false, "has not ended");
                phase
            }
        }
    }

    /// Returns the times of all crashes of a transfer, in milliseconds since 1970.
    async fn crashes_of(&self, id: &str, record: &Item) -> Vec<i64> {
        let stopped_executions = self.stopped_executions.lock().unwrap().clone();
        let mut crashes: Vec<_> = stopped_executions
            .into_iter()
            .filter(|(of, _)| of == id)
            .map(|(_, when)| when)
            .collect();
        for execution_number in 1..=execution_number(record) {
            let history = self.sandbox.cloud.history_of(id, execution_number).await;
            crashes.extend(history.iter().flat_map(docferry_system_tests::History::crashes));
        }
        crashes
    }

    /// Returns the time from the first crash to the end, in milliseconds (see
    /// [`RoundResult::recovery_ms`]).
    fn recovery_of(&self, id: &str, record: &Item, crashes: &[i64]) -> Option<i64> {
        let milliseconds = |name: &str| {
            Some(string_attribute(record, name)?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        };
        let was_accepted = self.accepted_ids.lock().unwrap().iter().any(|accepted| accepted == id);
        let created = milliseconds("createdAt").filter(|_| !was_accepted);
        Some(milliseconds("endedAt")? - crashes.iter().copied().chain(created).min()?)
    }

    /// Returns descriptions of everything that the round left behind.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let Sandbox { tag, cloud, graph, ords, .. } = &self.sandbox;
        let mut leftovers = Vec::new();
        for file in ords.files_in_transit(tag).await {
            leftovers.push(format!("file on its way: {file}"));
        }
        let items = cloud.items().await;
        for (key, written) in cloud.exchange_objects(tag).await {
            if self.is_attributable(&items, &key, written) {
                leftovers.push(format!("exchange object {key}"));
            }
        }
        for person in 0..RECIPIENTS {
            for session in graph.sessions(&recipient_email(tag, person)).await {
                // A session whose URL was lost, with the response or with the killed
                // function, cannot be closed; it expires in Graph. It has received no
                // bytes, because the URL is recorded before the first byte is sent.
                if session.state == "open" && session.received_bytes > 0 {
                    leftovers.push(format!("open session {}", session.path));
                }
            }
        }
        for item in items {
            let (pk, sk) =
                (string_attribute(&item, "pk").unwrap(), string_attribute(&item, "sk").unwrap());
            let is_holder = |name: &String| !["pk", "sk", "version"].contains(&name.as_str());
            let is_left = match (pk.chars().next(), sk.as_str()) {
                (Some('Q'), _) => true,
                (Some('S'), "SLOTS") => item.keys().any(is_holder),
                (Some('K'), "REFS") => {
                    pk.contains(tag.as_str()) && (item.contains_key("refs") || is_leased(&item))
                }
                (_, sk) => sk.starts_with("SESSION#") || sk.starts_with("OUTBOX#"),
            };
            if is_left {
                leftovers.push(format!("item {pk} {sk} {:?}", item.keys().collect::<Vec<_>>()));
            }
        }
        leftovers
    }

    /// Whether an object certainly belongs to a transfer of the round, which then has to
    /// delete it.
    ///
    /// If a push got no response, its exchange key is unknown. If an object is older than
    /// the push, it may belong to another transfer. The lifecycle rule of the bucket
    /// deletes such objects (docs/OPERATIONS.md).
    fn is_attributable(&self, items: &[Item], key: &str, written: i64) -> bool {
        let is_of_key = |item: &&Item| {
            self.planned(item)
                .is_some_and(|planned| self.document_file_name(planned.document) == key)
        };
        let users: Vec<_> = items.iter().filter(is_of_key).collect();
        let requested_at = |item: &Item| {
            let source = item.get("source")?.as_m().ok()?;
            Some(
                string_attribute(source, "requestedAt")?
                    .parse::<jiff::Timestamp>()
                    .ok()?
                    .as_second(),
            )
        };
        let has_no_push_response =
            |item: &Item| item.contains_key("startedAt") && !item.contains_key("source");
        !users.iter().any(|item| has_no_push_response(item))
            && users.iter().any(|item| requested_at(item).is_some_and(|at| at <= written))
    }

    /// Returns the plan for the transfer of this item, if the item is a record of this
    /// round.
    fn planned(&self, item: &Item) -> Option<&PlannedTransfer> {
        let folder = string_attribute(item, "filePath")
            .filter(|_| string_attribute(item, "sk").as_deref() == Some("META"))?;
        let number = folder.strip_prefix(&self.sandbox.tag)?.strip_prefix('/')?;
        self.plan.transfers.get(number.split('-').next()?.parse::<usize>().ok()?)
    }
}

/// Whether a transfer has still to release an exchange key. The lease of several processes
/// ends by its time.
fn is_leased(item: &Item) -> bool {
    string_attribute(item, "releasingBy").is_some_and(|by| by != "several")
}
