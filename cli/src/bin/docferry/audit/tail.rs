//! `docferry audit tail`: prints the last records of the audit trail. With `--follow`, it goes on
//! to print new records as they are archived.
//!
//! The archive has one object for several records. The key of an object contains the time at which
//! the object was written.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use clap::Args;
use docferry_app::audit::{ARCHIVE_PREFIX, archive_day, archive_key, archive_time};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::archive::{Archive, DAY, days};
use super::record::describe_record;
use crate::admin::AuditArgs;
use crate::clock::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of days that are searched for the last records.
const MAX_DAYS: i64 = 7;
/// Minimum number of days whose keys are listed. An object whose key is not listed would later be
/// taken for a new object.
const MIN_DAYS: usize = 2;
/// Interval between two reads of the archive.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum delay with which an object appears after objects with later keys. The clocks of the
/// functions that write objects may differ, and a write takes at most the functions' time limit of
/// 30 s.
const MAX_DISORDER: SignedDuration = SignedDuration::from_mins(2);

#[derive(Debug, Args)]
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
    let mut seen_keys = HashSet::new();
    let last_records =
        read_last_records(&mut archive, &mut seen_keys, tail.lines, started_at).await?;
    for record in &last_records {
        print(json, record)?;
    }
    if last_records.is_empty() && !tail.prints_new {
        output::print_note("the audit trail has no records of the last seven days")?;
    }
    if !tail.prints_new {
        return Ok(Exit::Completed);
    }
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        // The search starts at the newest key and not at the time of this machine, because the
        // clocks of the functions that write the keys may differ from it.
        let newest_time = seen_keys.iter().filter_map(|key| archive_time(key)).max();
        let first_time = newest_time.unwrap_or(started_at - DAY) - MAX_DISORDER;
        let keys = archive.keys(ARCHIVE_PREFIX, &archive_key(first_time, b"")).await?;
        let new_keys = keys.into_iter().filter(|key| seen_keys.insert(key.clone())).collect();
        archive.read::<CliError>(new_keys, |record| print(json, &record)).await?;
    }
}

fn print(json: bool, record: &Value) -> Result<(), CliError> {
    output::print_result(json, record, &describe_record(record))
}

/// Returns the last `count` records of the last days, oldest first. Reads the days backwards, until
/// there are enough records. Adds the keys of all objects of these days to `seen_keys`.
async fn read_last_records(
    archive: &mut Archive,
    seen_keys: &mut HashSet<String>,
    count: usize,
    now: Timestamp,
) -> Result<VecDeque<Value>, CliError> {
    let mut last_records = VecDeque::new();
    let days = days(now - SignedDuration::from_hours(24 * (MAX_DAYS - 1)), now);
    for (index, day) in days.into_iter().rev().enumerate() {
        let mut keys = archive.keys(&archive_day(day), "").await?;
        seen_keys.extend(keys.iter().cloned());
        while last_records.len() < count && !keys.is_empty() {
            // An object has one or more records, so `count` objects usually have enough of them.
            let newest_keys = keys.split_off(keys.len().saturating_sub(count));
            let mut records = Vec::new();
            let collect = |record| {
                records.push(record);
                Ok::<_, CliError>(())
            };
            archive.read(newest_keys, collect).await?;
            for record in records.into_iter().rev() {
                last_records.push_front(record);
            }
        }
        if last_records.len() >= count && index + 1 >= MIN_DAYS {
            break;
        }
    }
    last_records.drain(..last_records.len().saturating_sub(count));
    Ok(last_records)
}
