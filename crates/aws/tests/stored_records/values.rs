//! Transfers, checkpoints and other values from which the fixtures are written.

use docferry_domain::document::{Evidence, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{FileId, TransferId};
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{
    ArrivedObject, DeliveredItem, Delivery, DownloadTarget, FoundObject, NewTransfer,
    ObjectVersion, PushedSource, Target, Transfer,
};
use docferry_domain::upload::{Checkpoint, Throughput, UploadCounters};
use docferry_testkit::builders::{callback, drive_target, epoch};
use jiff::{SignedDuration, Timestamp};

/// Size of every document.
pub(crate) const SIZE: u64 = 9_000_000;
/// Exchange key of the documents that are delivered to a OneDrive.
pub(crate) const KEY: &str = "docferry/order.pdf";
/// GUID of every document.
pub(crate) const GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";

/// Returns the time `seconds` after the start of all records.
pub(crate) fn at(seconds: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(seconds)
}

/// Returns a request for a transfer to `target`.
pub(crate) fn request(target: Target) -> NewTransfer {
    let is_download = target.drive().is_none();
    NewTransfer {
        owner: "scv".into(),
        on_behalf_of: is_download.then(|| Person::new("sub:ada")),
        object_guid: GUID.parse().unwrap(),
        file_id: is_download.then(|| FileId::new(10_042)),
        target,
        priority: if is_download { Priority::High } else { Priority::Normal },
        retain_until: is_download.then(|| at(86_400)),
        callback: is_download.then(callback),
    }
}

/// Returns a new transfer into a OneDrive.
pub(crate) fn onedrive(id: u128) -> Transfer {
    let target = drive_target("ada@docferry.example", "/Court/2026").into();
    transfer(TransferId::from_u128(id), request(target))
}

/// Returns a new transfer for download.
pub(crate) fn download(id: TransferId) -> Transfer {
    transfer(id, request(Target::Download(DownloadTarget { person: Person::new("sub:ada") })))
}

pub(crate) fn transfer(id: TransferId, request: NewTransfer) -> Transfer {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    Transfer { trace: Some(trace), ..Transfer::new(id, request, epoch(), at(14_400)) }
}

/// Returns the response of the source to a push.
pub(crate) fn source(key: &str) -> PushedSource {
    let before = ObjectVersion { etag: "\"old\"".into(), last_modified: at(-100) };
    PushedSource {
        key: key.into(),
        name: "Order 1.pdf".parse().unwrap(),
        mime: Some("application/pdf".into()),
        size: SIZE,
        requested_at: at(2),
        found: Some(FoundObject::Before(before)),
        asked_at: Some(at(1)),
        pushed_at: at(3),
        must_end_by: Some(at(7_200)),
    }
}

pub(crate) fn arrived() -> ArrivedObject {
    ArrivedObject { etag: "\"tag\"".into(), arrived_at: at(5), written_at: Some(at(4)) }
}

/// Returns a checkpoint in which every member has a value.
pub(crate) fn checkpoint(offset: u64) -> Checkpoint {
    let mut hash = QuickXorHash::new();
    hash.update(b"the bytes of a document");
    Checkpoint {
        offset,
        hash: hash.state(),
        fragment_bytes: 3_276_800,
        sessions: 2,
        replaced_for_last_fragment: true,
        counters: UploadCounters {
            max_offset: offset,
            renewals: 1,
            setbacks: 1,
            waits: 2,
            replaced_because: Some(FailureCode::DestinationUnavailable),
        },
        put_lease_until: Some(at(60)),
        numbering: true,
        number: 3,
        completed_item_id: Some("item-1".into()),
        throughput: Some(Throughput { at: at(9), bytes: offset, per_second: Some(1_000_000) }),
    }
}

pub(crate) fn delivered() -> Delivery {
    let item = DeliveredItem {
        item_id: "01ITEM".into(),
        size: SIZE + 100,
        quick_xor_hash: "aCgDG9jwBgAAAAAABQAAAAAAAAA=".into(),
        rewritten: true,
        evidence: Some(Evidence::ContentParts),
        web_url: Some("https://docferry.example/Order%201.docx".into()),
    };
    item.into()
}
