//! Whether everything is as it should be.

use std::collections::BTreeSet;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use docferry_cli::display::{clean, size};
use docferry_cli::watch::Outcome;

use super::deliver::Delivery;
use super::scenario::Item;
use super::simulators::{DeliveredFile, SourceDocument};

/// What was found out after the deliveries ended.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) sources: Vec<SourceDocument>,
    /// The recipient's files.
    pub(crate) files: Vec<DeliveredFile>,
    /// Keys still in the exchange bucket.
    pub(crate) left_over: BTreeSet<String>,
}

/// The judgement of one document: a row of the table.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    status: String,
    size: Option<u64>,
    source: Option<String>,
    delivered: Option<String>,
    /// `None` where there was never anything to clean up.
    is_clean: Option<bool>,
    /// What is not as it should be; empty when all is.
    pub(crate) complaints: Vec<String>,
}

/// Judges one document by what the service said and by what can be seen.
pub(crate) fn judge(item: &Item, delivery: &Delivery, findings: &Findings) -> Verdict {
    let source = findings.sources.iter().find(|source| source.guid == item.guid);
    let destination = item.destination();
    let file = findings.files.iter().find(|file| file.path.trim_start_matches('/') == destination);
    let is_clean = item.is_known().then(|| !findings.left_over.contains(item.filename));
    let mut complaints = Vec::new();
    let status = match (&delivery.result, item.is_known()) {
        (Ok(Outcome::Completed(_)), true) => {
            check_delivery(source, file, &mut complaints);
            "completed".to_owned()
        }
        (Ok(Outcome::Completed(_)), false) => {
            complaints.push("completed, although there is no such document".to_owned());
            "completed".to_owned()
        }
        (Ok(Outcome::Failed(status)), is_known) => {
            let message = status.last_error_message.as_deref().map(clean).unwrap_or_default();
            if is_known {
                complaints.push(format!("failed: {message}"));
            } else if message.is_empty() {
                complaints.push("failed as it should, but does not say why".to_owned());
            }
            format!("failed: {message}")
        }
        (Ok(Outcome::TimedOut(_)), _) => {
            complaints.push("did not end in time".to_owned());
            "still running".to_owned()
        }
        (Err(error), _) => {
            complaints.push(clean(&error.to_string()));
            "not sent or not watched".to_owned()
        }
    };
    if is_clean == Some(false) {
        complaints.push("its source copy is still in the exchange bucket".to_owned());
    }
    Verdict {
        name: item.filename.to_owned(),
        status,
        size: file.map(|file| file.size).or(source.map(|source| source.size)),
        source: source.map(|source| source.sha256.clone()),
        delivered: file.map(|file| file.sha256.clone()),
        is_clean,
        complaints,
    }
}

fn check_delivery(
    source: Option<&SourceDocument>,
    file: Option<&DeliveredFile>,
    complaints: &mut Vec<String>,
) {
    let (Some(source), Some(file)) = (source, file) else {
        let missing = if source.is_none() { "the source" } else { "the delivered file" };
        return complaints.push(format!("completed, but {missing} is not there"));
    };
    if source.size != file.size {
        complaints.push(format!("{} bytes were delivered of {}", file.size, source.size));
    }
    if source.sha256 != file.sha256 {
        complaints.push("the delivered bytes are not the source's".to_owned());
    }
    if file.received_bytes < file.size {
        complaints.push(format!("only {} bytes ever arrived", file.received_bytes));
    }
}

/// The table for people.
pub(crate) fn table(verdicts: &[Verdict]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "document",
        "status",
        "size",
        "source\nSHA-256",
        "delivered\nSHA-256",
        "agree",
        "exchange\nclean",
        "as it\nshould be",
    ]);
    for verdict in verdicts {
        let agree = match (&verdict.source, &verdict.delivered) {
            (Some(source), Some(delivered)) => yes(source == delivered),
            _ => "–",
        };
        table.add_row([
            verdict.name.clone(),
            wrapped(&verdict.status),
            verdict.size.map(size).unwrap_or_else(|| "–".to_owned()),
            short(verdict.source.as_deref()),
            short(verdict.delivered.as_deref()),
            agree.to_owned(),
            verdict.is_clean.map_or("–", yes).to_owned(),
            yes(verdict.complaints.is_empty()).to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "NO" }
}

fn short(hash: Option<&str>) -> String {
    hash.map_or_else(|| "–".to_owned(), |hash| hash.chars().take(12).collect())
}

/// Breaks a long message, so that the table stays narrow where there is no
/// terminal whose width it could ask for.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 34;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let is_full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH
        });
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use docferry_cli::TransferStatus;

    use super::*;
    use crate::demo::scenario::Content;

    fn item(content: Content) -> Item {
        Item {
            guid: "Zw==".into(),
            filename: "list.pdf",
            mimetype: "application/pdf",
            folder: Some("Lists"),
            content,
        }
    }

    fn known() -> Item {
        item(Content::Bytes(vec![1, 2, 3]))
    }

    fn status(percent: u8, error: Option<&str>) -> TransferStatus {
        serde_json::from_value(serde_json::json!({
            "transferId": "t", "percentTransfered": percent, "error": error.is_some(),
            "lastErrorMessage": error, "fileSize": 3,
        }))
        .unwrap()
    }

    fn completed() -> Delivery {
        let result = Ok(Outcome::Completed(status(100, None)));
        Delivery { transfer_id: Some("t".into()), result }
    }

    fn failed(message: &str) -> Delivery {
        let result = Ok(Outcome::Failed(status(0, Some(message))));
        Delivery { transfer_id: Some("t".into()), result }
    }

    fn findings(delivered_hash: &str) -> Findings {
        let source = SourceDocument { guid: "Zw==".into(), size: 3, sha256: "abc".into() };
        let file = DeliveredFile {
            user: "judge".into(),
            path: "/Lists/list.pdf".into(),
            size: 3,
            sha256: delivered_hash.into(),
            received_bytes: 3,
        };
        Findings { sources: vec![source], files: vec![file], left_over: BTreeSet::new() }
    }

    #[test]
    fn equal_bytes_and_a_clean_bucket_are_as_it_should_be() {
        let verdict = judge(&known(), &completed(), &findings("abc"));
        assert!(verdict.complaints.is_empty(), "{verdict:?}");
        assert!(table(&[verdict]).contains("completed"));
    }

    #[test]
    fn every_way_to_be_wrong_is_named() {
        let complaints = |delivery: &Delivery, findings: &Findings| {
            judge(&known(), delivery, findings).complaints.join("; ")
        };
        assert!(complaints(&completed(), &findings("other")).contains("not the source's"));
        let mut nothing = findings("abc");
        nothing.files.clear();
        assert!(complaints(&completed(), &nothing).contains("delivered file is not there"));
        let mut dirty = findings("abc");
        dirty.left_over.insert("list.pdf".into());
        assert!(complaints(&completed(), &dirty).contains("exchange bucket"));
        let mut short = findings("abc");
        short.files[0].size = 2;
        assert!(complaints(&completed(), &short).contains("2 bytes were delivered of 3"));
        assert!(complaints(&failed("No room."), &findings("abc")).contains("No room."));
        let slow = Delivery { transfer_id: None, result: Ok(Outcome::TimedOut(None)) };
        assert!(complaints(&slow, &findings("abc")).contains("in time"));
    }

    #[test]
    fn an_unknown_document_must_fail_and_say_why() {
        let unknown = item(Content::Unknown);
        let nothing = Findings::default();
        let message = "The document is not in the object store. Check its GUID.";
        assert!(judge(&unknown, &failed(message), &nothing).complaints.is_empty());
        assert!(!judge(&unknown, &failed(""), &nothing).complaints.is_empty());
        assert!(!judge(&unknown, &completed(), &nothing).complaints.is_empty());
    }
}
