//! Conformance check of every [`Outbox`], which stores the outcomes of transfers until they are
//! sent to the audit queue.

use docferry_app::ports::{OUTBOX_RESEND_DELAY, Outbox, Store};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, OutcomeRecord};
use jiff::SignedDuration;

use crate::builders::{epoch, transfer};

/// Runs every check.
///
/// # Panics
/// When the outbox breaks a rule of its port.
pub async fn outbox(store: &impl Store) {
    let made = transfer();
    let id = &made.transfer_id;
    store.create(&made).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    let outcome = Outcome::Failed(FailureCode::QuotaExceeded);
    let ended = store.finish(&made, outcome, epoch()).await.unwrap();
    let record = store.outcome(id, 1).await.unwrap().expect("the ending stores no outcome");
    assert_eq!(Some(record.clone()), OutcomeRecord::of(&ended));
    assert_eq!((record.outcome, record.failure), (Phase::Failed, Some(FailureCode::QuotaExceeded)));

    // Ending the transfer again adds nothing.
    store.finish(&ended, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), Some(record));
    let due = epoch() + OUTBOX_RESEND_DELAY;
    expect_listed(store, id, due - SignedDuration::from_secs(1), false).await;
    expect_listed(store, id, due + SignedDuration::from_secs(1), true).await;
    store.mark_sent(id, 1).await.unwrap();
    store.mark_sent(id, 1).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    expect_listed(store, id, due + SignedDuration::from_secs(1), false).await;
}

/// Checks whether the sweeper finds the outcome. The index is eventually consistent, so the query
/// is repeated until the index is up to date.
async fn expect_listed(store: &impl Outbox, id: &TransferId, now: jiff::Timestamp, expected: bool) {
    for _ in 0..100 {
        let unsent = store.unsent(now, 1000).await.unwrap();
        if unsent.contains(&(id.clone(), 1)) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the index never caught up; expected the outcome in it: {expected}");
}
