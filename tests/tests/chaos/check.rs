//! Invariants that are checked after a round.

use std::collections::BTreeMap;

use docferry_system_tests::{Delivered, FailureCode, Item, Sandbox};

use crate::plan::{PEOPLE, PlannedTransfer};
use crate::round::{Round, attempt_of, email, text};

/// Failures that a transfer may report when many faults occur at once. Not allowed: a
/// source copy deleted by another transfer, wrong bytes, and a cancel without a request.
const EXCUSABLE: [FailureCode; 8] = [
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
pub(crate) struct Seen {
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
    pub(crate) async fn judge(&self) -> Seen {
        let tag = &self.sandbox.tag;
        let mut files = BTreeMap::new();
        for person in 0..PEOPLE {
            let email = email(tag, person);
            for file in self.sandbox.graph.files(&email).await {
                files.insert((email.clone(), file.path.clone()), file);
            }
        }
        let items = self.sandbox.cloud.items().await;
        let mut seen = Seen::default();
        for record in &items {
            let Some(planned) = self.planned(record) else { continue };
            seen.transfers += 1;
            let id = text(record, "transferId").unwrap();
            let mut wrong = Vec::new();
            let ending = self.check_transfer(&id, planned, record, &files, &mut wrong).await;
            let crashes = self.crashes_of(&id, record).await;
            if ending == FailureCode::Internal.as_str() && crashes.len() < MIN_TRIES {
                wrong.push(format!("gave up after {} crashes", crashes.len()));
            }
            *seen.endings.entry(ending).or_default() += 1;
            seen.violations.extend(wrong.into_iter().map(|wrong| format!("{id}: {wrong}")));
            seen.recovery_ms.extend(self.recovery_of(&id, record, &crashes));
        }
        for id in self.answered.lock().unwrap().iter() {
            let known = |item: &Item| text(item, "transferId").as_ref() == Some(id);
            if !items.iter().any(known) {
                seen.violations.push(format!("{id}: accepted, but not in the table"));
            }
        }
        seen
    }

    /// Checks one transfer. Adds violations to `wrong` and returns the outcome.
    async fn check_transfer(
        &self,
        id: &str,
        planned: &PlannedTransfer,
        record: &Item,
        files: &BTreeMap<(String, String), Delivered>,
        wrong: &mut Vec<String>,
    ) -> String {
        let folder = text(record, "filePath").unwrap();
        let document = &self.documents[planned.document];
        let tag = &self.sandbox.tag;
        let path = format!("{folder}/{}", self.name_of(planned.document));
        let file = files.get(&(email(tag, planned.person), path));
        let status = self.sandbox.api.status(id).await;
        let failure = status.last_error_message.clone().unwrap_or_default();
        let phase = text(record, "phase").unwrap();
        let mut expect = |holds: bool, violation: &str| {
            if !holds {
                wrong.push(format!("{violation}: {phase} {status:?} {file:?}"));
            }
        };
        let (ended_at, deadline) = (text(record, "endedAt"), text(record, "deadline"));
        let moment = |text: Option<String>| text?.parse::<jiff::Timestamp>().ok();
        expect(moment(ended_at) <= moment(deadline), "ended after its deadline");
        expect(status.has_ended(), "the status has no end");
        match phase.as_str() {
            "completed" => {
                expect(!status.error && status.percent_transfered == 100, "wrong status");
                let is_same = |file: &Delivered| file.sha256 == document.sha256;
                expect(file.is_some_and(is_same), "delivered bytes are wrong or missing");
                phase
            }
            "canceled" => {
                let was_requested =
                    self.stopped.lock().unwrap().iter().any(|stopped| stopped == id);
                expect(was_requested, "canceled without a request");
                expect(status.error && file.is_none(), "canceled, but a file exists");
                phase
            }
            "failed" => {
                expect(status.error && file.is_none(), "failed, but a file exists");
                let code = FailureCode::ALL.iter().find(|code| code.message() == failure);
                expect(code.is_some_and(|code| EXCUSABLE.contains(code)), "unexpected failure");
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
        let aborted = self.aborted.lock().unwrap().clone();
        let mut crashes: Vec<_> =
            aborted.into_iter().filter(|(of, _)| of == id).map(|(_, when)| when).collect();
        for attempt in 1..=attempt_of(record) {
            let history = self.sandbox.cloud.history_of(id, attempt).await;
            crashes.extend(history.iter().flat_map(docferry_system_tests::History::crashes));
        }
        crashes
    }

    /// Returns the time from the first crash to the end, in milliseconds (see
    /// [`Seen::recovery_ms`]).
    fn recovery_of(&self, id: &str, record: &Item, crashes: &[i64]) -> Option<i64> {
        let moment = |name: &str| {
            Some(text(record, name)?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        };
        let was_answered = self.answered.lock().unwrap().iter().any(|answered| answered == id);
        let created = moment("createdAt").filter(|_| !was_answered);
        Some(moment("endedAt")? - crashes.iter().copied().chain(created).min()?)
    }

    /// Returns descriptions of everything that the round left behind.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let Sandbox { tag, cloud, graph, ords, .. } = &self.sandbox;
        let mut left = Vec::new();
        for file in ords.files_in_transit(tag).await {
            left.push(format!("file on its way: {file}"));
        }
        let items = cloud.items().await;
        for (key, written) in cloud.objects(tag).await {
            if self.is_attributable(&items, &key, written) {
                left.push(format!("exchange object {key}"));
            }
        }
        for person in 0..PEOPLE {
            for session in graph.sessions(&email(tag, person)).await {
                // A session whose URL was lost, with the response or with the killed
                // function, cannot be closed; it expires in Graph. It has received no
                // bytes, because the URL is recorded before the first byte is sent.
                if session.state == "open" && session.received_bytes > 0 {
                    left.push(format!("open session {}", session.path));
                }
            }
        }
        for item in items {
            let (pk, sk) = (text(&item, "pk").unwrap(), text(&item, "sk").unwrap());
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
                left.push(format!("item {pk} {sk} {:?}", item.keys().collect::<Vec<_>>()));
            }
        }
        left
    }

    /// Whether an object certainly belongs to a transfer of the round, which then has to
    /// delete it.
    ///
    /// If a push got no response, its exchange key is unknown. If an object is older than
    /// the push, it may belong to another transfer. The lifecycle rule of the bucket
    /// deletes such objects (docs/OPERATIONS.md).
    fn is_attributable(&self, items: &[Item], key: &str, written: i64) -> bool {
        let is_of_key = |item: &&Item| {
            self.planned(item).is_some_and(|planned| self.name_of(planned.document) == key)
        };
        let users: Vec<_> = items.iter().filter(is_of_key).collect();
        let requested_at = |item: &Item| {
            let source = item.get("source")?.as_m().ok()?;
            Some(text(source, "requestedAt")?.parse::<jiff::Timestamp>().ok()?.as_second())
        };
        let has_no_push_response =
            |item: &Item| item.contains_key("startedAt") && !item.contains_key("source");
        !users.iter().any(|item| has_no_push_response(item))
            && users.iter().any(|item| requested_at(item).is_some_and(|at| at <= written))
    }

    /// Returns the plan for the transfer of this item, if the item is a record of this
    /// round.
    fn planned(&self, item: &Item) -> Option<&PlannedTransfer> {
        let folder =
            text(item, "filePath").filter(|_| text(item, "sk").as_deref() == Some("META"))?;
        let number = folder.strip_prefix(&self.sandbox.tag)?.strip_prefix('/')?;
        self.plan.transfers.get(number.split('-').next()?.parse::<usize>().ok()?)
    }
}

/// Whether a transfer has still to release an exchange key. The lease of several processes
/// ends by its time.
fn is_leased(item: &Item) -> bool {
    text(item, "releasingBy").is_some_and(|by| by != "several")
}
