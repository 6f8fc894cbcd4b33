//! Formats the output of `docferry admin inspect` for people. Each line is a label and a value, and
//! the last paragraph is the advice for the operator.

use docferry_cli::display::{short_duration, size};
use docferry_domain::document::Evidence;
use docferry_domain::slots::SlotState;
use jiff::Timestamp;

use super::inspection::{
    Delivery, Execution, Inspection, PersonalData, Record, References, Session,
};

/// Width to which labels are padded.
const LABEL_WIDTH: usize = 12;

/// Lines of the output so far.
#[derive(Debug)]
struct Lines {
    text: String,
    /// Current time, to show ages.
    now: Timestamp,
}

/// Returns the text of an inspection, without a trailing line break.
pub(super) fn describe(inspection: &Inspection) -> String {
    let Inspection { transfer_id, record, session, references, other_items, executions, .. } =
        inspection;
    let mut lines = Lines { text: String::new(), now: inspection.now };
    lines.add("transfer", transfer_id.as_str());
    match record {
        Some(record) => lines.add_record(record),
        None => lines.add("record", "none"),
    }
    lines.text.push('\n');
    lines.add_session(session.as_ref());
    lines.add_references(references.as_ref());
    let other_keys =
        if other_items.is_empty() { "none".to_owned() } else { other_items.join(", ") };
    lines.add("other items", &other_keys);
    for execution in executions {
        lines.add_execution(execution);
    }
    lines.text.push('\n');
    lines.text.push_str(&inspection.advice);
    lines.text
}

impl Lines {
    /// Adds a line.
    fn add(&mut self, label: &str, value: &str) {
        self.text.push_str(&format!("{label:<LABEL_WIDTH$}  {value}\n"));
    }

    /// Adds a line with a time, unless the time is `None`.
    fn add_time(&mut self, label: &str, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.add(label, &self.time_with_age(time));
        }
    }

    /// Formats a time with its age: `2026-11-23T09:00:00Z, 12 m 05 s ago`.
    fn time_with_age(&self, time: Timestamp) -> String {
        let distance = short_duration(self.now.duration_since(time).unsigned_abs());
        let time_text = time.strftime("%Y-%m-%dT%H:%M:%SZ");
        if time > self.now {
            format!("{time_text}, in {distance}")
        } else {
            format!("{time_text}, {distance} ago")
        }
    }

    fn add_record(&mut self, record: &Record) {
        self.add("phase", &phase_text(record));
        self.add("attempt", &format!("{}, upload epoch {}", record.execution_number, record.epoch));
        self.add("document", &record.obj_guid);
        let total = record.size.map_or_else(|| "an unknown size".to_owned(), exact_size);
        self.add("bytes", &format!("{} of {total}", exact_size(record.bytes_done)));
        if let Some(checkpoint) = &record.checkpoint {
            let text = format!(
                "offset {}, hashed to {}, fragments of {}, {} sessions opened",
                checkpoint.offset,
                checkpoint.hashed_to,
                size(checkpoint.fragment_bytes),
                checkpoint.sessions
            );
            self.add("checkpoint", &text);
        }
        if let Some(delivery) = &record.delivery {
            self.add("delivered", &delivery_text(delivery));
        }
        self.add_time("created", Some(record.created_at));
        self.add_time("started", record.started_at);
        self.add_time("pushed", record.pushed_at);
        self.add_time("arrived", record.arrived_at);
        self.add_time("paused until", record.resume_at);
        self.add_time("ended", record.ended_at);
        if record.ended_at.is_none() {
            self.add_time("deadline", Some(record.deadline));
        }
        self.add_time("next sweep", record.next_look_at);
        if let Some(names) = &record.names {
            self.add_names(names);
        }
    }

    fn add_names(&mut self, names: &PersonalData) {
        self.add("owner", &names.owner);
        for (label, name) in [
            ("recipient", &names.email),
            ("folder", &names.file_path),
            ("file", &names.file_name),
            ("key", &names.exchange_key),
        ] {
            if let Some(name) = name {
                self.add(label, name);
            }
        }
    }

    fn add_session(&mut self, session: Option<&Session>) {
        let Some(session) = session else {
            return self.add("session", "none");
        };
        let mut text = "stored encrypted".to_owned();
        if let Some(epoch) = session.epoch {
            text.push_str(&format!(", epoch {epoch}"));
        }
        if let Some(expires_at) = session.expires_at {
            text.push_str(&format!("; expires {}", self.time_with_age(expires_at)));
        }
        self.add("session", &text);
    }

    fn add_references(&mut self, references: Option<&References>) {
        let Some(references) = references else {
            return self.add("references", "none to its exchange key");
        };
        let mut text = format!("{} to its exchange key", references.count);
        if references.count > 0 {
            text.push_str(if references.this_transfer {
                ", including this transfer"
            } else {
                ", without this transfer"
            });
        }
        if let Some(transfer_id) = &references.deleting_by {
            let lease_end = references.deleting_until.map(|time| self.time_with_age(time));
            let lease_end = lease_end.unwrap_or_default();
            text.push_str(&format!(
                "; {transfer_id} is deleting the object; its lease ends {lease_end}"
            ));
        }
        if let Some(deleted_at) = references.deleted_at {
            text.push_str(&format!("; object deleted {}", self.time_with_age(deleted_at)));
        }
        self.add("references", &text);
    }

    fn add_execution(&mut self, execution: &Execution) {
        let Execution { name, state, started_at, stopped_at, error } = execution;
        let mut text = format!("{name}  {state}");
        if let Some(error) = error {
            text.push_str(&format!(" with {error}"));
        }
        if let Some(stopped_at) = stopped_at {
            text.push_str(&format!(", stopped {}", self.time_with_age(*stopped_at)));
        } else if let Some(started_at) = started_at {
            text.push_str(&format!(", started {}", self.time_with_age(*started_at)));
        }
        self.add("execution", &text);
    }
}

/// Formats a size with its exact number of bytes, so that operators can compare sizes:
/// `5000000 B (5.00 MB)`.
fn exact_size(bytes: u64) -> String {
    if bytes < 1000 { format!("{bytes} B") } else { format!("{bytes} B ({})", size(bytes)) }
}

/// Formats the phase of a transfer, followed by its failure or decided end, a cancel request, and
/// the state of its slot.
fn phase_text(record: &Record) -> String {
    let failure = record.failure.map(|code| code.to_string());
    let decided_end = record.ending.filter(|_| record.failure.is_none());
    let decided_end = decided_end.map(|code| format!("ending: {code}"));
    let cancel_request = record.cancel_requested.then(|| "cancel requested".to_owned());
    let is_queued_or_holding = record.slot_state != SlotState::Idle;
    let slot_state = is_queued_or_holding.then(|| format!("slot: {}", record.slot_state.as_str()));
    let mut text = record.phase.to_owned();
    for addition in [failure, decided_end, cancel_request, slot_state].into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&addition);
    }
    text
}

/// Formats the size and hash of a delivered document, and whether the drive has rewritten its file.
fn delivery_text(delivery: &Delivery) -> String {
    let rewritten_note = match delivery.evidence {
        _ if !delivery.rewritten => "",
        Some(Evidence::ContentParts) => ", rewritten by the drive with equal content parts",
        Some(Evidence::LastByteSent) => ", rewritten by the drive in response to the last byte",
        Some(Evidence::Hash) | None => ", rewritten by the drive",
    };
    let hash = delivery.quick_xor_hash.as_ref();
    let hash_note = hash.map(|hash| format!(", {hash}")).unwrap_or_default();
    format!("{}{hash_note}{rewritten_note}", exact_size(delivery.size))
}
