//! Tests of the record of a transfer: progress, runs, tries and the stored form.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use docferry_domain::audit::AuditContext;
use docferry_domain::document::DriveFolder;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Priority, SlotState};
use docferry_domain::transfer::{
    DownloadTarget, DriveTarget, NewTransfer, PushedSource, Step, Target, Transfer, percent,
};
use jiff::Timestamp;

fn target() -> DriveTarget {
    DriveTarget {
        recipient: "a@b.example".parse().unwrap(),
        file_path: None,
        folder: DriveFolder::default(),
    }
}

/// Returns a delivery to OneDrive that is uploading.
fn transfer() -> Transfer {
    let request = NewTransfer {
        spec: JobSpec::of_owner("scv"),
        audit: AuditContext::default(),
        object_guid: "AAAA".parse().unwrap(),
        file_id: None,
        target: target().into(),
        priority: Priority::Normal,
    };
    let created_at = Timestamp::UNIX_EPOCH;
    let deadline = Timestamp::UNIX_EPOCH;
    let accepted = Transfer::new(TransferId::from_u128(1), request, created_at, deadline);
    Transfer { phase: Phase::Uploading, ..accepted }
}

/// Returns a delivery to OneDrive whose document has this size.
fn with_size(size: u64) -> Transfer {
    let source = PushedSource {
        key: "k".into(),
        name: "k".parse().unwrap(),
        mime: None,
        size,
        requested_at: Timestamp::UNIX_EPOCH,
        found: None,
        asked_at: None,
        pushed_at: Timestamp::UNIX_EPOCH,
        must_end_by: None,
    };
    Transfer { source: Some(source), ..transfer() }
}

/// Regression: the service before docferry computed `90 / fragments` in integers. For a file
/// of more than about 29 MB this is 0, so the percentage stayed at 10.
#[test]
fn percent_of_a_large_file_rises_and_is_100_only_when_completed() {
    assert_eq!(percent(&transfer()), 0);
    let mut large = with_size(300_000_000);
    let mut last = percent(&large);
    assert_eq!(last, 10);

    let mut shown = vec![last];
    while large.bytes_done < 300_000_000 {
        large.bytes_done += 1_000_000;
        let now = percent(&large);
        assert!(now >= last);
        if now > last {
            shown.push(now);
        }
        last = now;
    }
    assert_eq!(shown, (10..=99).collect::<Vec<_>>());

    large.phase = Phase::Completed;
    assert_eq!(percent(&large), 100);
}

#[test]
fn percent_never_overflows_and_is_10_for_an_unverified_empty_file() {
    assert_eq!(percent(&with_size(0)), 10);
    let huge = Transfer { bytes_done: u64::MAX, ..with_size(u64::MAX) };
    assert_eq!(percent(&huge), 99);
}

#[test]
fn transfer_of_an_older_version_is_read_with_defaults() {
    let mut item = serde_json::to_value(transfer()).unwrap();
    let fields = item.as_object_mut().unwrap();
    for name in ["cancelRequested", "epoch", "bytesDone", "pool", "priority", "turn"] {
        fields.remove(name);
    }
    fields.insert("unknownToThisVersion".into(), 1.into());
    // A record without a slot state counts as holding no slot.
    let expected = Transfer { slot_state: SlotState::Idle, ..transfer() };
    assert_eq!(serde_json::from_value::<Transfer>(item).unwrap(), expected);
}

#[test]
fn run_is_queued_by_the_time_of_its_request() {
    let hour = |number| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(number);
    let first = Transfer { deadline: hour(4), ..transfer() };
    let order = |transfer: &Transfer| transfer.queue_entry().order;
    assert_eq!(
        order(&first),
        Priority::Normal.order(hour(0)),
        "also for a record of an older version"
    );
    let second = first.for_retry_at(hour(30), hour(36), None);
    assert_eq!(order(&second), Priority::Normal.order(hour(30)));
    let stored = serde_json::to_value(&second).unwrap();
    let read: Transfer = serde_json::from_value(stored).unwrap();
    assert_eq!(order(&read), order(&second));
    // The second run had six hours, so the third counts as requested six hours before 100.
    let third = second.for_retry_by(hour(100), None);
    assert_eq!(order(&third), Priority::Normal.order(hour(94)));
}

#[test]
fn tries_count_the_present_step_and_restart_with_each_run() {
    let mut moving = transfer();
    let stored_tries = |transfer: &Transfer| {
        let stored = serde_json::to_value(transfer).unwrap();
        serde_json::from_value::<Transfer>(stored).unwrap().tries()
    };
    assert_eq!(stored_tries(&moving), 1);
    moving.failed_tries.count(Step::Deliver);
    moving.failed_tries.count(Step::Deliver);
    moving.failed_tries.count(Step::Push);
    assert_eq!(stored_tries(&moving), 3);
    assert_eq!(stored_tries(&Transfer { phase: Phase::Pushing, ..moving.clone() }), 2);
    assert_eq!(stored_tries(&Transfer { phase: Phase::AwaitingArrival, ..moving.clone() }), 1);
    let ending = Some(FailureCode::Canceled);
    assert_eq!(stored_tries(&Transfer { ending, ..moving.clone() }), 1);
    assert_eq!(stored_tries(&Transfer { phase: Phase::Failed, ..moving.clone() }), 3);
    assert_eq!(stored_tries(&moving.for_retry_by(Timestamp::UNIX_EPOCH, None)), 1);
}

#[test]
fn stored_transfer_contains_its_target_and_person() {
    let stored = serde_json::to_value(transfer()).unwrap();
    assert_eq!(
        stored["recipient"], "a@b.example",
        "older versions, which had no downloads, stored the same field"
    );
    let target = Target::Download(DownloadTarget { person: Person::new("p") });
    let download = Transfer { target: target.clone(), ..transfer() };
    let stored = serde_json::to_value(&download).unwrap();
    let read: Transfer = serde_json::from_value(stored).unwrap();
    assert_eq!((&read.target, read.queue_entry().person), (&target, Person::new("p")));
}
