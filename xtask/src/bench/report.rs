//! Report of a benchmark: tables that are printed and can be written to `docs/BENCHMARKS.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use comfy_table::Table;

use super::build::Build;
use crate::paths::Paths;

/// Result of the comparison of a measured value with its target. The report shows it next to the
/// value. A missed target is not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetResult {
    Met,
    Missed,
}

impl TargetResult {
    pub(crate) fn at_most<T: PartialOrd>(value: T, limit: T) -> Self {
        if value <= limit { Self::Met } else { Self::Missed }
    }

    /// Returns the text of the value, followed by the result of the comparison.
    pub(crate) fn describe(self, value: &str) -> String {
        match self {
            Self::Met => format!("{value} met"),
            Self::Missed => format!("{value} MISSED"),
        }
    }
}

/// Text that is printed immediately and can be written to the document at the end.
#[derive(Debug)]
pub(crate) struct Report {
    document: PathBuf,
    markdown: String,
}

impl Report {
    pub(crate) fn new(paths: &Paths, build: Build) -> Result<Self> {
        let processors = available_parallelism()?;
        let build = if build == Build::Release { "release" } else { "**debug**" };
        let markdown = format!(
            "Measured on {processors} processors ({}), {build} build; load average of the minute \
             before: {}.\n",
            processor(),
            load_average(),
        );
        println!("{markdown}");
        Ok(Self { document: paths.root.join("docs/BENCHMARKS.md"), markdown })
    }

    /// Prints a paragraph and adds it to the report.
    pub(crate) fn note(&mut self, text: &str) {
        println!("{text}\n");
        // Writing to a String cannot fail.
        let _ = write!(self.markdown, "\n{text}\n");
    }

    /// Prints a table with its caption and adds both to the report.
    pub(crate) fn table(&mut self, caption: &str, head: &[&str], rows: &[Vec<String>]) {
        self.note(caption);
        let mut table = Table::new();
        table.set_header(head);
        table.add_rows(rows);
        println!("{table}\n");
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        self.markdown += "\n";
        self.markdown += &line(&mut head.iter().copied());
        self.markdown += &line(&mut head.iter().map(|_| "---"));
        for row in rows {
            self.markdown += &line(&mut row.iter().map(String::as_str));
        }
    }

    /// Writes the report between the markers of the benchmark in the document.
    pub(crate) fn write(&self, bench: &str) -> Result<()> {
        let text = fs::read_to_string(&self.document)?;
        let replaced = replace_section(&text, bench, &self.markdown)
            .with_context(|| format!("{} has no markers for {bench}", self.document.display()))?;
        fs::write(&self.document, replaced)?;
        println!("Written to {}.", self.document.display());
        Ok(())
    }
}

/// Replaces the text between the markers of a benchmark. Returns `None` if the markers are missing.
fn replace_section(text: &str, bench: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- bench {bench} -->\n"), format!("<!-- end {bench} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_old, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{content}{end}{after}"))
}

/// Returns the processor's name from `/proc`.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// Returns the load average of the last minute. If it exceeds the number of processors, the
/// measured times are too long.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}

/// Formats megabytes (10⁶ bytes) with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let text = "a\n<!-- bench x -->\nold\n<!-- end x -->\nb\n";
        let expected = "a\n<!-- bench x -->\nnew\n<!-- end x -->\nb\n";
        assert_eq!(replace_section(text, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(replace_section(text, "y", "new\n"), None);
    }

    #[test]
    fn missed_target_is_shown_next_to_the_value() {
        assert_eq!(TargetResult::at_most(1.06, 1.05).describe("1.06"), "1.06 MISSED");
        assert_eq!(TargetResult::at_most(5, 5).describe("5"), "5 met");
        assert_eq!(megabytes(48_250_000), "48.2 MB");
    }
}
