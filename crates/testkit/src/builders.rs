//! Builders of typical values, so that a test states only the values that matter to it.

use docferry_app::document::DocumentCaller;
use docferry_app::ports::{PushRecord, PushStore, WriteError};
use docferry_domain::audit::AuditContext;
use docferry_domain::callback::{CallbackRule, CallbackUrl};
use docferry_domain::document::{
    DocStatus, DocumentRecord, HashState, QuickXorHash, RecordStatus, ScanResult, Subject,
    SubjectPatterns, SystemSetting, Viewer,
};
use docferry_domain::ids::{FileId, ObjectGuid, TransferId};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{
    ArrivedObject, DriveTarget, NewTransfer, OutstandingPush, PushedSource, Transfer,
};
use docferry_domain::upload::{Checkpoint, UploadCounters};
use jiff::{SignedDuration, Timestamp};

/// Returns the start time of a test. The times of all builders are relative to it.
#[must_use]
pub fn epoch() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// Returns a new transfer as `initiate` records it, with a random id and a deadline of four hours.
#[must_use]
pub fn transfer() -> Transfer {
    let id = TransferId::from_u128(uuid::Uuid::new_v4().as_u128());
    Transfer::new(id, new_transfer(), epoch(), epoch() + SignedDuration::from_hours(4))
}

/// Returns a request for a delivery into the OneDrive of a judge.
#[must_use]
pub fn new_transfer() -> NewTransfer {
    NewTransfer {
        spec: JobSpec::of_owner("scv"),
        audit: AuditContext::default(),
        object_guid: "3q2+7wAAAAAAAAAAAAAAAA==".parse().unwrap(),
        file_id: None,
        target: drive_target("judge@court.example", "").into(),
        priority: Priority::Normal,
    }
}

/// Returns a folder in the OneDrive of `email`. It is the root folder if `folder` is empty.
///
/// # Panics
/// When the address or the folder is not valid.
#[must_use]
pub fn drive_target(email: &str, folder: &str) -> DriveTarget {
    DriveTarget {
        recipient: email.parse().unwrap(),
        file_path: Some(folder.to_owned()).filter(|folder| !folder.is_empty()),
        folder: folder.parse().unwrap(),
    }
}

/// Returns a subject of the system of court files.
///
/// # Panics
/// When the value is no number of a court file.
#[must_use]
pub fn subject(value: &str) -> Subject {
    let setting = SystemSetting {
        system: "urn:example:court-file".to_owned(),
        pattern: "court-file".to_owned(),
    };
    SubjectPatterns::try_from(vec![setting]).unwrap().read(None, value).unwrap()
}

/// Returns a registry record of a final, clean document. Its id, number, GUID and subject are made
/// from `number`.
///
/// # Panics
/// Never, because all values are valid.
#[must_use]
pub fn document_record(number: u64) -> DocumentRecord {
    DocumentRecord {
        id: format!("doc-{number}").parse().unwrap(),
        subject: subject(&format!("S-{number}")),
        file_id: Some(FileId::new(number)),
        obj_guid: guid_of(number),
        file_name: format!("order {number}.pdf").parse().unwrap(),
        content_type: "application/pdf".parse().unwrap(),
        size: 1_000_000,
        created: epoch(),
        indexed: epoch(),
        type_code: None,
        category: None,
        doc_status: DocStatus::Final,
        status: RecordStatus::Current,
        scan_result: ScanResult::Clean,
        withdrawn_at: None,
        groups: Vec::new(),
    }
}

/// Returns a caller who may see all documents.
#[must_use]
pub fn unrestricted_caller() -> DocumentCaller {
    DocumentCaller { person: Person::new("ada"), viewer: Viewer::Unrestricted }
}

/// Returns a GUID that is made from a number.
fn guid_of(number: u64) -> ObjectGuid {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(number.to_be_bytes()).parse().unwrap()
}

/// Returns the URL of a webhook.
///
/// # Panics
/// Never, because the URL is valid.
#[must_use]
pub fn callback() -> CallbackUrl {
    let url = "https://hooks.docferry.example/ended?key=secret";
    CallbackUrl::parse(url, CallbackRule::Public).unwrap()
}

/// Returns a push for which the document source has named this exchange key and size in bytes.
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

/// Returns an object that has arrived in the exchange bucket.
#[must_use]
pub fn arrived() -> ArrivedObject {
    ArrivedObject { etag: "\"tag\"".into(), arrived_at: epoch(), written_at: None }
}

/// Size of the smallest fragment: 320 KiB.
const FRAGMENT_BYTES: u64 = 327_680;

/// Returns a checkpoint at this offset. Its hash is that of no bytes.
#[must_use]
pub fn checkpoint(offset: u64) -> Checkpoint {
    let hash: HashState = QuickXorHash::new().state();
    Checkpoint {
        offset,
        hash,
        fragment_bytes: FRAGMENT_BYTES,
        sessions: 1,
        replaced_for_last_fragment: false,
        counters: UploadCounters::default(),
        put_lease_until: None,
        numbering: false,
        number: 0,
        completed_item_id: None,
        throughput: None,
    }
}

/// Records a push of the document of [`transfer`]. Returns whether the transfer now holds a
/// reference on the exchange key.
///
/// # Errors
/// Those of [`PushStore::record_push`].
pub async fn record_push(
    store: &impl PushStore,
    id: &TransferId,
    execution_number: u32,
    source: &PushedSource,
) -> Result<bool, WriteError> {
    let push = OutstandingPush::of(id, &transfer().object_guid, source);
    let record = store.record_push(id, execution_number, &push, source).await?;
    Ok(record == PushRecord::Recorded)
}
