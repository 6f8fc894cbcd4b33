//! What lies under a transfer's id, and what that means.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_domain::{Phase, Transfer, TransferId, Turn};
use jiff::Timestamp;

use super::AdminError;
use super::inspection::{Execution, Inspection, Names, Record, References, Session};

/// An item of the table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// What lies under a transfer's id.
#[derive(Debug)]
pub(super) struct Found {
    id: TransferId,
    transfer: Option<Transfer>,
    next_look_at: Option<Timestamp>,
    session: Option<Session>,
    other_items: Vec<String>,
}

impl Found {
    /// Sorts the items by their kinds.
    pub(super) fn read(id: &TransferId, items: Vec<Item>) -> Result<Self, AdminError> {
        if items.is_empty() {
            return Err(AdminError::NotFound);
        }
        let mut found = Self {
            id: id.clone(),
            transfer: None,
            next_look_at: None,
            session: None,
            other_items: Vec::new(),
        };
        let (record, session) = keys(id);
        for item in items {
            match text(&item, "sk").as_deref() {
                Some(key) if key == record => {
                    found.next_look_at = milliseconds(&item, "dueAt");
                    let read = serde_dynamo::aws_sdk_dynamodb_1::from_item(item);
                    found.transfer = Some(read.map_err(|_| AdminError::Unreadable)?);
                }
                Some(key) if key == session => {
                    let expires_at = text(&item, "sessionExpiresAt");
                    found.session = Some(Session {
                        epoch: number(&item, "epoch"),
                        expires_at: expires_at.and_then(|at| at.parse().ok()),
                    });
                }
                // Of a bundle's other documents nothing is asked.
                Some(key) if is_of_another(id, key) => {}
                other => found.other_items.push(other.unwrap_or("(no sort key)").to_owned()),
            }
        }
        if found.transfer.is_none() && id.in_bundle().is_some() {
            return Err(AdminError::NotFound);
        }
        Ok(found)
    }

    pub(super) fn exchange_key(&self) -> Option<&str> {
        Some(&self.transfer.as_ref()?.source.as_ref()?.key)
    }

    /// The present attempt; 0 without a record.
    pub(super) fn attempt(&self) -> u32 {
        self.transfer.as_ref().map_or(0, |transfer| transfer.attempt)
    }

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
            names: show_names.then(|| Names::of(&transfer)),
            ..Record::of(&transfer)
        });
        let transfer_id = id;
        Inspection {
            transfer_id,
            record,
            session,
            references,
            other_items,
            executions,
            advice,
            now,
        }
    }

    fn advice(&self, execution: Option<&Execution>) -> String {
        let Some(transfer) = &self.transfer else {
            if self.other_items.iter().any(|key| key == "BUNDLE") {
                return format!(
                    "It is a bundle: each of its documents is a transfer, {}_0000 and so on.",
                    self.id
                );
            }
            return "There is no record, only what is listed: the store forgets it in time.".into();
        };
        let state = execution.map_or("missing", |execution| &execution.state);
        let advice = if transfer.phase.is_terminal() {
            match self.next_look_at {
                None => "It has ended, and nothing of it is left to look after.",
                Some(_) => {
                    "It has ended. Something may be left of it, or its document may still come: \
                     sweep looks after that."
                }
            }
        } else if state == "running" {
            "It runs: there is nothing to do."
        } else if transfer.delivery.is_some() || transfer.ending.is_some() {
            "Only its ending is missing: sweep makes up for that."
        } else if state == "missing"
            && transfer.phase == Phase::Accepted
            && transfer.turn != Turn::Holding
        {
            "It waits for a slot."
        } else if state == "missing" {
            "Its execution was not started: sweep starts it within minutes, `docferry admin \
             requeue` at once."
        } else {
            "Its execution has ended without an ending of the transfer: sweep begins the next \
             attempt within minutes, unless it has begun too many; `docferry admin requeue` does \
             at once."
        };
        advice.to_owned()
    }
}

/// Sort keys of the record and of the upload session.
fn keys(id: &TransferId) -> (String, String) {
    match id.in_bundle() {
        None => ("META".to_owned(), "SESSION#0".to_owned()),
        Some((_, number)) => (format!("DOC#{number:04}"), format!("SESSION#{number:04}")),
    }
}

/// Whether `id` is a document of a bundle and the item belongs to another of them.
fn is_of_another(id: &TransferId, key: &str) -> bool {
    let Some((_, number)) = id.in_bundle() else { return false };
    let kinds = ["DOC#", "SESSION#", "OUTBOX#"];
    let rest = kinds.iter().find_map(|kind| key.strip_prefix(kind));
    rest.is_some_and(|rest| !rest.starts_with(&format!("{number:04}")))
}

/// An attribute that is text.
pub(super) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn number<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name).and_then(|value| AttributeValue::as_n(value).ok())?.parse().ok()
}

/// An attribute that is a time in milliseconds since 1970.
pub(super) fn milliseconds(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(number(item, name)?).ok()
}
