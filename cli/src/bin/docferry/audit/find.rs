//! `docferry audit find`: prints the records of the audit trail that meet all conditions of the
//! options. It reads the objects of the archive from the first relevant day on, and filters their
//! records.

use clap::Args;
use docferry_app::audit::{ARCHIVE_PREFIX, archive_day};
use docferry_app::ports::Registry as _;
use docferry_domain::audit::AuditAction;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::archive::Archive;
use super::filter::{Filter, NamedDocument};
use super::record::describe_record;
use crate::admin::{AdminError, AuditArgs};
use crate::clock::now;
use crate::documents::document_keys;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Age of the oldest objects that are read without `--since`.
const DEFAULT_PERIOD: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Maximum number of hours or days in an age.
const MAX_AGE: i64 = 100_000;

#[derive(Debug, Args)]
pub(crate) struct Find {
    /// Only records that name this document: its id, number or GUID
    #[arg(long, value_name = "DOCUMENT")]
    document: Option<String>,

    /// Only records about this court file or patient
    #[arg(long, value_name = "[SYSTEM|]VALUE")]
    subject: Option<String>,

    /// Only records of this caller, or on behalf of this person
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Only deliveries to this person: an e-mail address or a user id of Microsoft Graph
    #[arg(long, value_name = "PERSON")]
    recipient: Option<String>,

    /// Only records of this job or transfer
    #[arg(long, value_name = "ID")]
    job: Option<String>,

    /// Only this action: "Delivered to OneDrive", "Made available for download", "URL issued",
    /// "Viewed list", "Access denied" or "Withdrawn"
    #[arg(long, value_name = "ACTION", value_parser = parse_action)]
    action: Option<AuditAction>,

    /// Only actions from this time on: 2026-11-30, 2026-11-30T09:00:00Z, or an age such as 12h
    /// or 7d [default: all records that were archived in the last 30 days]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,

    /// Only actions before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    #[command(flatten)]
    audit_args: AuditArgs,
}

pub(super) async fn run(find: &Find, json: bool) -> Result<Exit, CliError> {
    let filter = Filter {
        since: find.since,
        until: find.until,
        document: find.document().await?,
        subject: find.subject.clone(),
        actor: find.actor.clone(),
        recipient: find.recipient.clone(),
        job: find.job.clone(),
        action: find.action.map(|action| action.as_str().to_owned()),
    };
    let mut archive = Archive::new(find.audit_args.open().await?);
    let mut match_count = 0_u64;
    // A record is archived after its action, so objects of days before `since` cannot contain it.
    let first_day = archive_day(find.since.unwrap_or_else(|| now() - DEFAULT_PERIOD));
    let keys = archive.keys(ARCHIVE_PREFIX, &first_day).await?;
    archive
        .read::<CliError>(keys, |record| {
            if filter.matches(&record) {
                match_count += 1;
                output::print_result(json, &record, &describe_record(&record))?;
            }
            Ok(())
        })
        .await?;
    if archive.unreadable_lines() > 0 {
        let count = archive.unreadable_lines();
        output::print_note(&format!("{count} lines of the archive are damaged and were skipped"))?;
    }
    if match_count == 0 {
        output::print_note("no record matches; most records are archived within two minutes")?;
    }
    Ok(Exit::Completed)
}

impl Find {
    /// Returns the names by which records may name the document of `--document`. The document
    /// registry knows all of them. Without the registry, only the argument is known.
    async fn document(&self) -> Result<Option<NamedDocument>, AdminError> {
        let Some(document) = &self.document else { return Ok(None) };
        let Some(registry) = self.audit_args.registry().await? else {
            return Ok(Some(NamedDocument::unregistered(document)));
        };
        let found = registry.documents(&document_keys(document)).await?;
        // The argument has at most two possible keys. Both may belong to the same document.
        let mut records = found.values();
        match (records.next(), records.next()) {
            (None, _) => Ok(Some(NamedDocument::unregistered(document))),
            (Some(first), Some(second)) if first.id != second.id => Err(AdminError::AmbiguousKey),
            (Some(record), _) => Ok(Some(NamedDocument::registered(record))),
        }
    }
}

/// Parses the name of an action, in upper or lower case.
fn parse_action(text: &str) -> Result<AuditAction, String> {
    let is_named = |action: &AuditAction| action.as_str().eq_ignore_ascii_case(text);
    AuditAction::ALL.into_iter().find(is_named).ok_or_else(|| {
        let names = AuditAction::ALL.map(AuditAction::as_str).join(", ");
        format!("use one of: {names}")
    })
}

/// Parses a time, a date (its start in UTC), or an age such as `7d` (the time so long ago).
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        let start = date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        return start.map_err(|error| error.to_string());
    }
    let unit = text.chars().last().unwrap_or_default();
    let hours_per_unit = match unit {
        'h' => Some(1),
        'd' => Some(24),
        _ => None,
    };
    let count = text.strip_suffix(unit).and_then(|count| count.parse::<i64>().ok());
    let count = count.filter(|count| (0..=MAX_AGE).contains(count));
    match count.zip(hours_per_unit) {
        Some((count, hours)) => Ok(now() - SignedDuration::from_hours(count * hours)),
        None => Err("use 2026-11-30, 2026-11-30T09:00:00Z, or an age such as 12h or 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_a_date_a_timestamp_or_an_age() {
        let time = |text| parse_time(text).unwrap().to_string();
        assert_eq!(time("2026-11-30"), "2026-11-30T00:00:00Z");
        assert_eq!(time("2026-11-30T09:00:00-08:00"), "2026-11-30T17:00:00Z");
        for age in ["12h", "7d", "0h"] {
            assert!(parse_time(age).unwrap() <= now(), "{age}");
        }
        for bad in ["", "d", "7", "7w", "-1d", "yesterday", "999999999d"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
