//! What must hold after a round.

use std::collections::BTreeMap;

use docferry_system_tests::{Delivered, FailureCode, Item, Sandbox};

use crate::plan::{PEOPLE, PlannedTransfer};
use crate::round::{Round, attempt_of, email, text};

/// How a transfer may fail, with the truth told, when everything goes wrong at once.
/// Not among them: that its source was taken away from it, that its bytes are wrong,
/// that somebody else stopped it.
const EXCUSABLE: [FailureCode; 8] = [
    FailureCode::ArrivalTimeout,
    FailureCode::DestinationUnavailable,
    FailureCode::ExchangeUnavailable,
    // A function that was killed more often than the workflow tries.
    FailureCode::Internal,
    FailureCode::SourceChanged,
    FailureCode::SourceInvalidAnswer,
    FailureCode::SourceSizeMismatch,
    FailureCode::SourceUnavailable,
];

/// How often the workflow tries a step whose process dies.
const FEWEST_TRIES: usize = 6;

/// What was seen of the transfers of a round.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) violations: Vec<String>,
    pub(crate) transfers: usize,
    /// How many ended how.
    pub(crate) endings: BTreeMap<String, usize>,
    /// From the first death of its execution or one of its functions to the end of the transfer; for
    /// one whose request was not answered, from its creation.
    pub(crate) recovery_ms: Vec<i64>,
}

impl Round {
    /// Judges every transfer that the round has made, whether the caller knows of it
    /// or not.
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
            let ending = self.judge_one(&id, planned, record, &files, &mut wrong).await;
            let crashes = self.crashes_of(&id, record).await;
            if ending == FailureCode::Internal.as_str() && crashes.len() < FEWEST_TRIES {
                wrong.push(format!("gave up after {} crashes", crashes.len()));
            }
            *seen.endings.entry(ending).or_default() += 1;
            seen.violations.extend(wrong.into_iter().map(|wrong| format!("{id}: {wrong}")));
            seen.recovery_ms.extend(self.recovery_of(&id, record, &crashes));
        }
        for id in self.answered.lock().unwrap().iter() {
            let known = |item: &Item| text(item, "transferId").as_ref() == Some(id);
            if !items.iter().any(known) {
                seen.violations.push(format!("{id}: promised, and not there"));
            }
        }
        seen
    }

    async fn judge_one(
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
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{what}: {phase} {status:?} {file:?}"));
            }
        };
        let (ended_at, deadline) = (text(record, "endedAt"), text(record, "deadline"));
        let moment = |text: Option<String>| text?.parse::<jiff::Timestamp>().ok();
        expect(moment(ended_at) <= moment(deadline), "ended after its deadline");
        expect(status.has_ended(), "its status does not say that it has ended");
        match phase.as_str() {
            "completed" => {
                expect(!status.error && status.percent_transfered == 100, "status of a delivery");
                let right = |file: &Delivered| file.sha256 == document.sha256;
                expect(file.is_some_and(right), "delivered bytes are wrong or missing");
                phase
            }
            "canceled" => {
                let was_asked = self.stopped.lock().unwrap().iter().any(|stopped| stopped == id);
                expect(was_asked, "canceled, and nobody asked");
                expect(status.error && file.is_none(), "canceled, with a file");
                phase
            }
            "failed" => {
                expect(status.error && file.is_none(), "failed, with a file");
                let code = FailureCode::ALL.iter().find(|code| code.message() == failure);
                expect(code.is_some_and(|code| EXCUSABLE.contains(code)), "no excuse to fail");
                code.map_or(failure, |code| code.as_str().to_owned())
            }
            _ => {
                expect(false, "has not ended");
                phase
            }
        }
    }

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

    fn recovery_of(&self, id: &str, record: &Item, crashes: &[i64]) -> Option<i64> {
        let moment = |name: &str| {
            Some(text(record, name)?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        };
        let was_answered = self.answered.lock().unwrap().iter().any(|answered| answered == id);
        let created = moment("createdAt").filter(|_| !was_answered);
        Some(moment("endedAt")? - crashes.iter().copied().chain(created).min()?)
    }

    /// What lies about that belongs to the round or to nobody.
    pub(crate) async fn left_behind(&self) -> Vec<String> {
        let Sandbox { tag, cloud, graph, ords, .. } = &self.sandbox;
        let mut left = Vec::new();
        for file in ords.on_their_way(tag).await {
            left.push(format!("on its way: {file}"));
        }
        let items = cloud.items().await;
        for (key, written) in cloud.objects(tag).await {
            if self.somebody_knows(&items, &key, written) {
                left.push(format!("exchange object {key}"));
            }
        }
        for person in 0..PEOPLE {
            for session in graph.sessions(&email(tag, person)).await {
                // One whose URL was lost with its answer, or with the function that
                // asked for it, is Graph's to forget. Nothing was ever sent to it:
                // the URL is recorded before the first byte is.
                if session.state == "open" && session.received_bytes > 0 {
                    left.push(format!("open session {}", session.path));
                }
            }
        }
        for item in items {
            let (pk, sk) = (text(&item, "pk").unwrap(), text(&item, "sk").unwrap());
            let other = |name: &String| !["pk", "sk", "version"].contains(&name.as_str());
            let is_left = match (pk.chars().next(), sk.as_str()) {
                (Some('Q'), _) => true,
                (Some('S'), "SLOTS") => item.keys().any(other),
                (Some('K'), "REFS") => {
                    pk.contains(tag.as_str())
                        && (item.contains_key("refs") || item.contains_key("releasingBy"))
                }
                (_, sk) => sk.starts_with("SESSION#") || sk.starts_with("OUTBOX#"),
            };
            if is_left {
                left.push(format!("item {pk} {sk} {:?}", item.keys().collect::<Vec<_>>()));
            }
        }
        left
    }

    /// Whether an object can be told from what was there before: what a push brings
    /// that was never answered is known to nobody by name, and what is older than the
    /// push that was answered may be somebody else's. The bucket's lifecycle rule
    /// takes those (docs/OPERATIONS.md).
    fn somebody_knows(&self, items: &[Item], key: &str, written: i64) -> bool {
        let is_of_key = |item: &&Item| {
            self.planned(item).is_some_and(|planned| self.name_of(planned.document) == key)
        };
        let users: Vec<_> = items.iter().filter(is_of_key).collect();
        let requested_at = |item: &Item| {
            let source = item.get("source")?.as_m().ok()?;
            Some(text(source, "requestedAt")?.parse::<jiff::Timestamp>().ok()?.as_second())
        };
        let was_never_answered =
            |item: &Item| item.contains_key("startedAt") && !item.contains_key("source");
        !users.iter().any(|item| was_never_answered(item))
            && users.iter().any(|item| requested_at(item).is_some_and(|at| at <= written))
    }

    /// What was planned for the transfer that this item is of, if it is one of ours.
    fn planned(&self, item: &Item) -> Option<&PlannedTransfer> {
        let folder =
            text(item, "filePath").filter(|_| text(item, "sk").as_deref() == Some("META"))?;
        let number = folder.strip_prefix(&self.sandbox.tag)?.strip_prefix('/')?;
        self.plan.transfers.get(number.split('-').next()?.parse::<usize>().ok()?)
    }
}
