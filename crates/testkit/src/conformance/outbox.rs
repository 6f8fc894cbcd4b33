//! What every [`Outbox`] must do.

use docferry_app::ports::{OUTBOX_REST, Outbox, TransferStore};
use docferry_domain::{FailureCode, Outcome, OutcomeRecord, Phase, TransferId};
use jiff::SignedDuration;

use crate::builders::{epoch, transfer};

/// Runs every check.
///
/// # Panics
/// At the first thing that an outbox does otherwise than the port says.
pub async fn outbox(store: &(impl TransferStore + Outbox)) {
    let made = transfer();
    let id = &made.transfer_id;
    store.create(&made).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    let outcome = Outcome::Failed(FailureCode::QuotaExceeded);
    let ended = store.finish(&made, outcome, epoch()).await.unwrap();
    let record = store.outcome(id, 1).await.unwrap().expect("the end puts it there");
    assert_eq!(Some(record.clone()), OutcomeRecord::of(&ended));
    assert_eq!((record.outcome, record.failure), (Phase::Failed, Some(FailureCode::QuotaExceeded)));
    // Ending it again adds nothing.
    store.finish(&ended, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), Some(record));
    let rested = epoch() + OUTBOX_REST;
    rests(store, id, rested - SignedDuration::from_secs(1), false).await;
    rests(store, id, rested + SignedDuration::from_secs(1), true).await;
    store.told(id, 1).await.unwrap();
    store.told(id, 1).await.unwrap();
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    rests(store, id, rested + SignedDuration::from_secs(1), false).await;
}

/// The index may lag, so it is asked until it has caught up.
async fn rests(store: &impl Outbox, id: &TransferId, now: jiff::Timestamp, expected: bool) {
    for _ in 0..100 {
        let untold = store.untold(now, 1000).await.unwrap();
        if untold.contains(&(id.clone(), 1)) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("untold should say {expected}");
}
