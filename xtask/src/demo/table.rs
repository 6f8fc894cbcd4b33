//! Results table of the demo.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use docferry_cli::display::size;

use super::verdict::Verdict;

/// Returns the table, with one row per document.
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
            (Some(source), Some(delivered)) => yes_or_no(source == delivered),
            _ => "–",
        };
        table.add_row([
            verdict.name.clone(),
            wrapped(&verdict.status),
            verdict.size.map(size).unwrap_or_else(|| "–".to_owned()),
            short(verdict.source.as_deref()),
            short(verdict.delivered.as_deref()),
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

fn short(hash: Option<&str>) -> String {
    hash.map_or_else(|| "–".to_owned(), |hash| hash.chars().take(12).collect())
}

/// Wraps a long message, so that the table stays narrow when there is no terminal with a width to
/// query.
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
