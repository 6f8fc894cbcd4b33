//! The DynamoDB items that are stored under a transfer's id: classifies them by their sort keys,
//! and derives advice for the operator from them.
//!
//! `gather.rs` reads the items. The documents of a batch share the batch's id, and their sort keys
//! contain their number in the batch.

use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::AdminError;
use super::inspection::{Execution, Inspection, PersonalData, Record, References, Session};
use super::item::{Item, milliseconds, number, text};

/// Sort key of the item with the record of a batch.
const BATCH_SORT_KEY: &str = "BUNDLE";
/// Sort keys with these prefixes continue with the number of a document in its batch.
const DOCUMENT_PREFIXES: [&str; 3] = ["DOC#", "SESSION#", "OUTBOX#"];

/// Items found under a transfer's id.
#[derive(Debug)]
pub(super) struct TransferItems {
    id: TransferId,
    transfer: Option<Transfer>,
    /// Time at which the sweeper, the service's periodic repair, processes the transfer; `None` if
    /// the transfer has ended and is cleaned up.
    next_look_at: Option<Timestamp>,
    session: Option<Session>,
    /// Sort keys of the items that are neither the record nor the upload session.
    other_items: Vec<String>,
}

impl TransferItems {
    /// Classifies the items by their sort keys.
    ///
    /// # Errors
    /// [`AdminError::NotFound`] if there are no items, or if the transfer is a document of a batch
    /// and has no record. [`AdminError::Unreadable`] if the record cannot be parsed.
    pub(super) fn read(id: &TransferId, items: Vec<Item>) -> Result<Self, AdminError> {
        if items.is_empty() {
            return Err(AdminError::NotFound);
        }
        let mut classified = Self {
            id: id.clone(),
            transfer: None,
            next_look_at: None,
            session: None,
            other_items: Vec::new(),
        };
        let SortKeys { record: record_key, session: session_key } = SortKeys::of(id);
        for item in items {
            match text(&item, "sk").as_deref() {
                Some(key) if key == record_key => {
                    classified.next_look_at = milliseconds(&item, "dueAt");
                    let transfer = serde_dynamo::aws_sdk_dynamodb_1::from_item(item);
                    classified.transfer = Some(transfer.map_err(|_| AdminError::Unreadable)?);
                }
                Some(key) if key == session_key => {
                    let expires_at = text(&item, "sessionExpiresAt");
                    classified.session = Some(Session {
                        epoch: number(&item, "epoch"),
                        expires_at: expires_at.and_then(|text| text.parse().ok()),
                    });
                }
                // Items of another document of the same batch are not shown.
                Some(key) if belongs_to_other_document(id, key) => {}
                key => classified.other_items.push(key.unwrap_or("(no sort key)").to_owned()),
            }
        }
        if classified.transfer.is_none() && id.batch_and_number().is_some() {
            return Err(AdminError::NotFound);
        }
        Ok(classified)
    }

    /// Key of the transfer's object in the exchange bucket, once the key is known.
    pub(super) fn exchange_key(&self) -> Option<&str> {
        Some(&self.transfer.as_ref()?.source.as_ref()?.key)
    }

    /// Number of the current execution, or 0 if there is no record.
    pub(super) fn execution_number(&self) -> u32 {
        self.transfer.as_ref().map_or(0, |transfer| transfer.execution_number)
    }

    /// Combines these items with the references to the exchange key and the executions. Returns the
    /// output of the command.
    pub(super) fn into_inspection(
        self,
        references: Option<Item>,
        executions: Vec<Execution>,
        show_names: bool,
        now: Timestamp,
    ) -> Inspection {
        let advice = self.advice(executions.last());
        let references = references.map(|item| References::read(&item, &self.id));
        let Self { id, transfer, next_look_at, session, other_items } = self;
        let record = transfer.map(|transfer| Record {
            next_look_at,
            names: show_names.then(|| PersonalData::of(&transfer)),
            ..Record::of(&transfer)
        });
        Inspection {
            transfer_id: id,
            record,
            session,
            references,
            other_items,
            executions,
            advice,
            now,
        }
    }

    /// Explains the state of the transfer and what an operator can do.
    fn advice(&self, latest_execution: Option<&Execution>) -> String {
        let Some(transfer) = &self.transfer else {
            if self.other_items.iter().any(|key| key == BATCH_SORT_KEY) {
                return format!(
                    "This is a batch. Each of its documents is a transfer: {}_0000 and so on.",
                    self.id
                );
            }
            return "There is no record, only the items listed above. They are deleted when their \
                    time to live expires."
                .into();
        };
        let execution_state = latest_execution.map_or("missing", |execution| &execution.state);
        let advice = if transfer.phase.is_terminal() {
            match self.next_look_at {
                None => "The transfer has ended and is cleaned up.",
                Some(_) => {
                    "The transfer has ended. Temporary data may remain, or its document may still \
                     arrive: the sweeper removes both."
                }
            }
        } else if execution_state == "running" {
            "The transfer is running. There is nothing to do."
        } else if transfer.delivery.is_some() || transfer.ending.is_some() {
            "The outcome is decided, but the end is not recorded yet. The sweeper records it."
        } else if execution_state == "missing"
            && transfer.phase == Phase::Accepted
            && transfer.slot_state != SlotState::Holding
        {
            "The transfer is waiting for a slot."
        } else if execution_state == "missing" {
            "The execution was not started. The sweeper starts it within minutes; `docferry admin \
             requeue` starts it immediately."
        } else {
            "The execution has ended, but the transfer has not. The sweeper starts the next \
             execution within minutes, unless there were too many; `docferry admin requeue` \
             starts it immediately."
        };
        advice.to_owned()
    }
}

/// Sort keys of a transfer's items.
struct SortKeys {
    /// Key of the transfer's record.
    record: String,
    /// Key of the upload session.
    session: String,
}

impl SortKeys {
    fn of(id: &TransferId) -> Self {
        match id.batch_and_number() {
            None => Self { record: "META".to_owned(), session: "SESSION#0".to_owned() },
            Some((_, number)) => {
                Self { record: format!("DOC#{number:04}"), session: format!("SESSION#{number:04}") }
            }
        }
    }
}

/// Returns whether `id` is a document of a batch, and an item with this sort key belongs to another
/// document of the same batch.
fn belongs_to_other_document(id: &TransferId, sort_key: &str) -> bool {
    let Some((_, number)) = id.batch_and_number() else { return false };
    let suffix = DOCUMENT_PREFIXES.iter().find_map(|prefix| sort_key.strip_prefix(prefix));
    suffix.is_some_and(|suffix| !suffix.starts_with(&format!("{number:04}")))
}
