//! Transfer for the unit tests of this folder.

use jiff::Timestamp;

use crate::audit::AuditContext;
use crate::ids::TransferId;
use crate::job_spec::JobSpec;
use crate::person::Person;
use crate::slots::Priority;
use crate::transfer::record::{NewTransfer, Transfer};
use crate::transfer::target::{DownloadTarget, Target};

/// Returns an accepted download.
pub(super) fn accepted_download() -> Transfer {
    let request = NewTransfer {
        spec: JobSpec::of_owner("scv"),
        audit: AuditContext::default(),
        object_guid: "AAAA".parse().unwrap(),
        file_id: None,
        target: Target::Download(DownloadTarget { person: Person::new("p") }),
        priority: Priority::Normal,
    };
    let created_at = Timestamp::UNIX_EPOCH;
    let deadline = Timestamp::UNIX_EPOCH;
    Transfer::new(TransferId::from_u128(1), request, created_at, deadline)
}
