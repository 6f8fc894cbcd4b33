//! Conformance check of every log of audit events.

use docferry_app::ports::{AuditLog, DENIALS_DELAY, EventKey, EventOutbox, OUTBOX_RESEND_DELAY};
use docferry_domain::audit::{
    AuditAction, AuditEvent, Denial, DenialKey, MAX_DENIED_OF_RECORD, RequestOrigin, RequestSource,
};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::DeliveredFile;
use jiff::{SignedDuration, Timestamp};

use crate::builders::{epoch, subject};

/// Runs every check.
///
/// # Panics
/// When the log breaks a rule of its port.
pub async fn audit_log(log: &(impl AuditLog + EventOutbox)) {
    event_is_recorded_once_and_removed_after_it_was_sent(log).await;
    events_of_one_response_are_recorded_together(log).await;
    denials_of_a_minute_make_one_record(log).await;
    denial_after_the_close_counts_in_the_next_minute(log).await;
    record_of_denials_has_a_limited_number_of_documents(log).await;
}

fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn origin() -> RequestOrigin {
    let ip = "192.0.2.7".parse().ok();
    let source = RequestSource::new(ip, Some("browser"), "request-1".to_owned());
    RequestOrigin { on_behalf_of: "Judge A".parse().ok(), source }
}

fn event() -> AuditEvent {
    let file = DeliveredFile {
        id: "AAAA".into(),
        file_name: "order.pdf".into(),
        content_type: Some("application/pdf".into()),
    };
    AuditEvent {
        origin: Some(origin()),
        subject: Some(subject("S-1")),
        files: vec![file],
        job_id: Some(TransferId::from_u128(7)),
        objects: vec!["hash".into()],
        ..AuditEvent::new(
            format!("{}/0", unique()),
            AuditAction::UrlIssued,
            "sub:ada".into(),
            epoch(),
        )
    }
}

async fn event_is_recorded_once_and_removed_after_it_was_sent(log: &(impl AuditLog + EventOutbox)) {
    let event = event();
    let key = EventKey::Event(event.id.clone());
    assert_eq!(log.unsent_event(&key).await.unwrap(), None);
    for _ in 0..2 {
        log.record(std::slice::from_ref(&event)).await.unwrap();
    }
    assert_eq!(log.unsent_event(&key).await.unwrap(), Some(event.clone()));
    let due = event.at + OUTBOX_RESEND_DELAY;
    expect_listed(log, &key, due - SignedDuration::from_secs(1), false).await;
    expect_listed(log, &key, due + SignedDuration::from_secs(1), true).await;
    for _ in 0..2 {
        log.mark_event_sent(&key).await.unwrap();
    }
    assert_eq!(log.unsent_event(&key).await.unwrap(), None);
    expect_listed(log, &key, due + SignedDuration::from_secs(1), false).await;
}

async fn events_of_one_response_are_recorded_together(log: &(impl AuditLog + EventOutbox)) {
    let events = [event(), event(), event()];
    log.record(&events).await.unwrap();
    log.record(&[]).await.unwrap();
    for event in events {
        let key = EventKey::Event(event.id.clone());
        assert_eq!(log.unsent_event(&key).await.unwrap(), Some(event));
        log.mark_event_sent(&key).await.unwrap();
    }
}

fn denial(actor: &str, second: i64, requested: &[&str]) -> Denial {
    Denial {
        actor: actor.to_owned(),
        at: epoch() + SignedDuration::from_secs(second),
        origin: origin(),
        requested: requested.iter().map(|text| (*text).to_owned()).collect(),
    }
}

async fn denials_of_a_minute_make_one_record(log: &(impl AuditLog + EventOutbox)) {
    // The id of a principal may contain the separator of keys.
    let actor = format!("sub:{}#x", unique());
    for (second, requested) in
        [(1, ["fileId=2"].as_slice()), (2, &["fileId=1", "fileId=2"]), (61, &["fileId=3"])]
    {
        log.count_denial(&denial(&actor, second, requested)).await.unwrap();
    }
    let minute = DenialKey::at(actor.clone(), epoch());
    let key = EventKey::Denials(minute.clone());
    let due = minute.ends_at() + DENIALS_DELAY;
    expect_listed(log, &key, due - SignedDuration::from_secs(1), false).await;
    expect_listed(log, &key, due + SignedDuration::from_secs(1), true).await;

    let mut record = log.unsent_event(&key).await.unwrap().unwrap();
    record.requested.sort();
    let expected = AuditEvent {
        origin: Some(origin()),
        count: Some(2),
        requested: vec!["fileId=1".into(), "fileId=2".into()],
        ..AuditEvent::new(
            minute.message_id(),
            AuditAction::AccessDenied,
            actor,
            epoch() + SignedDuration::from_secs(1),
        )
    };
    assert_eq!(record, expected);
    for _ in 0..2 {
        log.mark_event_sent(&key).await.unwrap();
        assert_eq!(log.unsent_event(&key).await.unwrap(), None);
    }
    expect_listed(log, &key, due + SignedDuration::from_secs(1), false).await;
    let next = log.unsent_event(&EventKey::Denials(minute.next())).await.unwrap();
    assert_eq!(next.map(|record| record.count), Some(Some(1)));
}

async fn denial_after_the_close_counts_in_the_next_minute(log: &(impl AuditLog + EventOutbox)) {
    let actor = format!("sub:{}", unique());
    log.count_denial(&denial(&actor, 1, &["fileId=1"])).await.unwrap();
    let minute = DenialKey::at(actor.clone(), epoch());
    let key = EventKey::Denials(minute.clone());
    let closed = log.unsent_event(&key).await.unwrap();
    log.count_denial(&denial(&actor, 2, &["fileId=2"])).await.unwrap();
    // The sweeper may have crashed before it sent the record.
    assert_eq!(log.unsent_event(&key).await.unwrap(), closed);
    log.mark_event_sent(&key).await.unwrap();
    log.count_denial(&denial(&actor, 3, &["fileId=3"])).await.unwrap();

    let next = log.unsent_event(&EventKey::Denials(minute.next())).await.unwrap().unwrap();
    assert_eq!((next.count, next.requested.len()), (Some(2), 2));
    assert_eq!(log.unsent_event(&key).await.unwrap(), None);
}

async fn record_of_denials_has_a_limited_number_of_documents(log: &(impl AuditLog + EventOutbox)) {
    let actor = format!("sub:{}", unique());
    for number in 0..MAX_DENIED_OF_RECORD + 5 {
        let requested = format!("fileId={number}");
        log.count_denial(&denial(&actor, 1, &[&requested])).await.unwrap();
    }
    let key = EventKey::Denials(DenialKey::at(actor, epoch()));
    let record = log.unsent_event(&key).await.unwrap().unwrap();
    assert_eq!(record.count, Some(MAX_DENIED_OF_RECORD as u64 + 5));
    assert_eq!(record.requested.len(), MAX_DENIED_OF_RECORD);
}

/// Checks whether the sweeper finds a record. The index is eventually consistent, so the query is
/// repeated until the index is up to date.
async fn expect_listed(log: &impl EventOutbox, key: &EventKey, now: Timestamp, expected: bool) {
    for _ in 0..100 {
        if log.unsent_events(now, 1_000).await.unwrap().contains(key) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the index never caught up; expected the record in it: {expected}");
}
