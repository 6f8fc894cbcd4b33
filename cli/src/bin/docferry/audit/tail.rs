//! `docferry audit tail`: prints the last records, and new ones as they are archived.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use clap::Args as Group;
use docferry_app::audit::{ARCHIVE_PREFIX, archive_day, archive_key, archive_time};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::archive::{Archive, DAY, days};
use super::record::line;
use crate::admin::AuditArgs;
use crate::clock::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Number of days whose records are searched for the last ones.
const MAX_DAYS: i64 = 7;
/// Number of days whose keys are read at least, so that their objects are not taken for new ones.
const MIN_DAYS: usize = 2;
/// Interval between two reads of the archive.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Time for which an object may appear after objects with later keys. The functions that write
/// objects may differ in their clocks, and a write takes at most their time limit of 30 s.
const MAX_DISORDER: SignedDuration = SignedDuration::from_mins(2);

#[derive(Debug, Group)]
pub(crate) struct Tail {
    /// Number of records to print
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    lines: usize,

    /// Go on printing new records until Ctrl-C
    #[arg(long = "follow", short = 'f')]
    prints_new: bool,

    #[command(flatten)]
    audit_args: AuditArgs,
}

pub(super) async fn run(tail: &Tail, json: bool) -> Result<Exit, CliError> {
    let mut archive = Archive::new(tail.audit_args.open().await?);
    let started_at = now();
    let mut seen = HashSet::new();
    let last = last_records(&mut archive, &mut seen, tail.lines, started_at).await?;
    for record in &last {
        print(json, record)?;
    }
    if last.is_empty() && !tail.prints_new {
        output::print_note("the audit trail has no records of the last seven days")?;
    }
    if !tail.prints_new {
        return Ok(Exit::Completed);
    }
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        // The times in the keys are those of the functions that write them, not of this machine.
        let newest = seen.iter().filter_map(|key| archive_time(key)).max();
        let from = newest.unwrap_or(started_at - DAY) - MAX_DISORDER;
        let keys = archive.keys(ARCHIVE_PREFIX, &archive_key(from, b"")).await?;
        let new = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
        archive.read::<CliError>(new, |record| print(json, &record)).await?;
    }
}

fn print(json: bool, record: &Value) -> Result<(), CliError> {
    output::print_result(json, record, &line(record))
}

/// Reads the last `count` records of the last days, the oldest first. Days are read from the last
/// one back, until there are enough records.
async fn last_records(
    archive: &mut Archive,
    seen: &mut HashSet<String>,
    count: usize,
    now: Timestamp,
) -> Result<VecDeque<Value>, CliError> {
    let mut last = VecDeque::new();
    let days = days(now - SignedDuration::from_hours(24 * (MAX_DAYS - 1)), now);
    for (index, day) in days.into_iter().rev().enumerate() {
        let mut keys = archive.keys(&archive_day(day), "").await?;
        seen.extend(keys.iter().cloned());
        while last.len() < count && !keys.is_empty() {
            let newest = keys.split_off(keys.len().saturating_sub(count));
            let mut records = Vec::new();
            let collect = |record| {
                records.push(record);
                Ok::<_, CliError>(())
            };
            archive.read(newest, collect).await?;
            for record in records.into_iter().rev() {
                last.push_front(record);
            }
        }
        if last.len() >= count && index + 1 >= MIN_DAYS {
            break;
        }
    }
    last.drain(..last.len().saturating_sub(count));
    Ok(last)
}
