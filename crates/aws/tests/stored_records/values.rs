//! Values of which the samples consist: transfers, pushes, objects, checkpoints and deliveries.
//!
//! Optional members have values wherever possible, so that the fixtures contain every attribute
//! that the store can write.

use docferry_domain::audit::{AuditContext, RequestOrigin, RequestSource};
use docferry_domain::document::{CaseClass, CaseReference, Evidence, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{FileId, TransferId};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::trace::TraceParent;
use docferry_domain::transfer::{
    ArrivedObject, DeliveredItem, Delivery, DownloadTarget, FoundObject, NewTransfer,
    ObjectVersion, OutstandingPush, PushedSource, Target, Transfer,
};
use docferry_domain::upload::{Checkpoint, Throughput, UploadCounters};
use docferry_testkit::builders::{callback, drive_target, subject};

use crate::times::{
    DEADLINE, OBJECT_ARRIVED, OBJECT_WRITTEN, OLDER_OBJECT_WRITTEN, PUSH_BEGUN, PUSH_REQUESTED,
    PUSHED, PUT_LEASE_END, RETENTION_END, SIZE_DEADLINE, START, THROUGHPUT_MEASURED,
};

/// Owner of every transfer and batch: the service account of the court viewer.
pub(crate) const OWNER: &str = "scv";
/// Person on whose behalf the owner requests downloads.
pub(crate) const PERSON: &str = "sub:ada";
/// Size of every document in bytes.
pub(crate) const DOCUMENT_BYTES: u64 = 9_000_000;
/// GUID of every document.
pub(crate) const DOCUMENT_GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";
/// File name of every document.
pub(crate) const DOCUMENT_NAME: &str = "Order 1.pdf";
/// Name that the source gives to a document in the exchange bucket. Several transfers use it.
pub(crate) const EXCHANGE_KEY: &str = "docferry/order.pdf";

/// Name under which the pause of all calls to Microsoft Graph is stored.
pub(crate) const GRAPH_BUDGET: &str = "graph";

/// Number of the first execution of a transfer.
pub(crate) const FIRST_EXECUTION: u32 = 1;
/// Number of retries of a transfer or batch in its first run.
pub(crate) const NO_RETRIES: u32 = 0;

/// Length of one fragment of an upload: ten times 320 KiB.
pub(crate) const FRAGMENT_BYTES: u64 = 3_276_800;

/// Returns a new transfer into a OneDrive. Its id is `number`.
pub(crate) fn onedrive_transfer(number: u128) -> Transfer {
    let target = drive_target("ada@docferry.example", "/Court/2026").into();
    transfer(TransferId::from_u128(number), request(target))
}

/// Returns a new download.
pub(crate) fn download_transfer(id: TransferId) -> Transfer {
    let target = DownloadTarget { person: Person::new(PERSON) };
    transfer(id, request(Target::Download(target)))
}

/// Returns a request for a transfer to `target`. Only downloads have a file id, a retention and a
/// webhook, and only transfers into a OneDrive have a case.
fn request(target: Target) -> NewTransfer {
    let is_download = target.drive().is_none();
    let spec = JobSpec {
        on_behalf_of: is_download.then(|| Person::new(PERSON)),
        case: if is_download { CaseReference::default() } else { case() },
        retain_until: is_download.then_some(RETENTION_END),
        callback: is_download.then(callback),
        trace: Some(trace()),
        ..JobSpec::of_owner(OWNER)
    };
    NewTransfer {
        spec,
        audit: audit_context(),
        object_guid: DOCUMENT_GUID.parse().unwrap(),
        file_id: is_download.then(|| FileId::new(10_042)),
        target,
        priority: if is_download { Priority::High } else { Priority::Normal },
    }
}

/// Returns the circumstances of a request, for the audit trail.
fn audit_context() -> AuditContext {
    let ip = "192.0.2.7".parse().ok();
    let source = RequestSource::new(ip, Some("browser"), "request-1".to_owned());
    let source = RequestSource { gateway_request_id: Some("gateway-1".into()), ..source };
    let origin = RequestOrigin { on_behalf_of: "Judge A".parse().ok(), source };
    AuditContext { origin: Some(origin), subject: Some(subject("S-1")) }
}

/// Returns a court case.
pub(crate) fn case() -> CaseReference {
    let court_file = Some("VLC-S-S-123456".parse().unwrap());
    CaseReference { court_file, class: Some(CaseClass::Criminal) }
}

/// Returns the trace context of all requests.
pub(crate) fn trace() -> TraceParent {
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap()
}

/// Returns a new transfer.
fn transfer(id: TransferId, request: NewTransfer) -> Transfer {
    Transfer::new(id, request, START, DEADLINE)
}

/// Returns the response of the source to a push: it will write the document under `key`.
pub(crate) fn push_response(key: &str) -> PushedSource {
    let older = ObjectVersion { etag: "\"old\"".into(), last_modified: OLDER_OBJECT_WRITTEN };
    PushedSource {
        key: key.into(),
        name: DOCUMENT_NAME.parse().unwrap(),
        mime: Some("application/pdf".into()),
        size: DOCUMENT_BYTES,
        requested_at: PUSH_REQUESTED,
        found: Some(FoundObject::Before(older)),
        asked_at: Some(PUSH_BEGUN),
        pushed_at: PUSHED,
        must_end_by: Some(SIZE_DEADLINE),
    }
}

/// Returns the push of a transfer whose object is not known to have arrived.
pub(crate) fn outstanding_push(id: &TransferId, response: &PushedSource) -> OutstandingPush {
    OutstandingPush::of(id, &DOCUMENT_GUID.parse().unwrap(), response)
}

/// Returns the document's object, which has arrived in the exchange bucket.
pub(crate) fn arrived_object() -> ArrivedObject {
    ArrivedObject {
        etag: "\"tag\"".into(),
        arrived_at: OBJECT_ARRIVED,
        written_at: Some(OBJECT_WRITTEN),
    }
}

/// Returns the checkpoint of an upload of which `offset` bytes have been sent. Every member has a
/// value that is not the default.
pub(crate) fn full_checkpoint(offset: u64) -> Checkpoint {
    let mut hash = QuickXorHash::new();
    hash.update(b"the bytes of a document");
    Checkpoint {
        offset,
        hash: hash.state(),
        fragment_bytes: FRAGMENT_BYTES,
        sessions: 2,
        replaced_for_last_fragment: true,
        counters: UploadCounters {
            max_offset: offset,
            renewals: 1,
            setbacks: 1,
            waits: 2,
            replaced_because: Some(FailureCode::DestinationUnavailable),
        },
        put_lease_until: Some(PUT_LEASE_END),
        numbering: true,
        number: 3,
        completed_item_id: Some("item-1".into()),
        throughput: Some(Throughput {
            at: THROUGHPUT_MEASURED,
            bytes: offset,
            per_second: Some(1_000_000),
        }),
    }
}

/// Returns the verified delivery of a document into a OneDrive, which has added 100 bytes to the
/// file.
pub(crate) fn onedrive_delivery() -> Delivery {
    let item = DeliveredItem {
        item_id: "01ITEM".into(),
        recipient_id: Some("user-1".into()),
        size: DOCUMENT_BYTES + 100,
        quick_xor_hash: "aCgDG9jwBgAAAAAABQAAAAAAAAA=".into(),
        rewritten: true,
        evidence: Some(Evidence::ContentParts),
        web_url: Some("https://docferry.example/Order%201.docx".into()),
    };
    item.into()
}
