//! Table of the demo's results, with one row for each document.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use docferry_cli::display::size;

use super::verdict::Verdict;

/// Returns the table as text.
pub(crate) fn results_table(verdicts: &[Verdict]) -> String {
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
        let agree = match (&verdict.source_hash, &verdict.delivered_hash) {
            (Some(source), Some(delivered)) => yes_or_no(source == delivered),
            _ => "–",
        };
        table.add_row([
            verdict.name.clone(),
            wrapped(&verdict.status),
            verdict.size.map(size).unwrap_or_else(|| "–".to_owned()),
            short_hash(verdict.source_hash.as_deref()),
            short_hash(verdict.delivered_hash.as_deref()),
            agree.to_owned(),
            verdict.is_clean.map_or("–", yes_or_no).to_owned(),
            yes_or_no(verdict.violations.is_empty()).to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "NO" }
}

/// Returns the beginning of a hash, or a dash if there is no hash.
fn short_hash(hash: Option<&str>) -> String {
    hash.map_or_else(|| "–".to_owned(), |hash| hash.chars().take(12).collect())
}

/// Wraps a long message into several lines. The table library does this only if the output is a
/// terminal, because it takes the width from the terminal.
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
