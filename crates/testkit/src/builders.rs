//! Ready-made values; a test names only what it is about.

use docferry_app::ports::{PushRecord, TransferStore, WriteError};
use docferry_domain::{
    ArrivedObject, CallbackRule, CallbackUrl, Checkpoint, DriveTarget, HashState, NewTransfer,
    OutstandingPush, Priority, PushedSource, QuickXorHash, Tally, Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

/// A time that all builders count from.
#[must_use]
pub fn epoch() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// A transfer as `initiate` records it, with a random id.
#[must_use]
pub fn transfer() -> Transfer {
    let id = TransferId::from_u128(uuid::Uuid::new_v4().as_u128());
    Transfer::new(id, new_transfer(), epoch(), epoch() + SignedDuration::from_hours(4))
}

/// What somebody asks for.
#[must_use]
pub fn new_transfer() -> NewTransfer {
    NewTransfer {
        owner: "scv".into(),
        on_behalf_of: None,
        object_guid: "3q2+7wAAAAAAAAAAAAAAAA==".parse().unwrap(),
        file_id: None,
        target: drive_target("judge@court.example", "").into(),
        priority: Priority::Normal,
        keep_until: None,
        callback: None,
    }
}

/// A folder in the OneDrive of `email`; the root when it is empty.
///
/// # Panics
/// When these are none.
#[must_use]
pub fn drive_target(email: &str, folder: &str) -> DriveTarget {
    DriveTarget {
        recipient: email.parse().unwrap(),
        file_path: Some(folder.to_owned()).filter(|folder| !folder.is_empty()),
        folder: folder.parse().unwrap(),
    }
}

/// Where somebody wants to be told of an end.
///
/// # Panics
/// Never.
#[must_use]
pub fn callback() -> CallbackUrl {
    let url = "https://hooks.docferry.example/ended?key=secret";
    CallbackUrl::parse(url, CallbackRule::Public).unwrap()
}

/// A push of `key` with `size` bytes.
#[must_use]
pub fn pushed(key: &str, size: u64) -> PushedSource {
    PushedSource {
        key: key.into(),
        name: "a.pdf".parse().unwrap(),
        mime: Some("application/pdf".into()),
        size,
        requested_at: epoch(),
        found: None,
        asked_at: None,
        pushed_at: epoch(),
        must_end_by: None,
    }
}

/// An arrival.
#[must_use]
pub fn arrived() -> ArrivedObject {
    ArrivedObject { etag: "\"tag\"".into(), arrived_at: epoch(), written_at: None }
}

/// A checkpoint at `offset` with the hash of nothing.
#[must_use]
pub fn checkpoint(offset: u64) -> Checkpoint {
    let hash: HashState = QuickXorHash::new().state();
    Checkpoint {
        offset,
        hash,
        fragment_bytes: 327_680,
        sessions: 1,
        fresh_session: false,
        tally: Tally::default(),
        putting_until: None,
        numbering: false,
        number: 0,
        answered: None,
        pace: None,
    }
}

/// Records a push of the document that [`transfer`] makes a record of. Returns whether the
/// transfer uses the key now.
///
/// # Errors
/// As the store.
pub async fn record_push(
    store: &impl TransferStore,
    id: &TransferId,
    attempt: u32,
    source: &PushedSource,
) -> Result<bool, WriteError> {
    let push = OutstandingPush::of(id, &transfer().object_guid, source);
    let record = store.record_push(id, attempt, &push, source).await?;
    Ok(record == PushRecord::Recorded)
}
