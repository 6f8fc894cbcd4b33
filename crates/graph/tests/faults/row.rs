//! Row of the fault table: a fault that the simulator of Microsoft Graph injects into an upload,
//! and the expected result of the upload.

use docferry_app::ports::ConflictPolicy::{self, Replace};
use docferry_domain::failure::FailureCode;
use docferry_testkit::{World, zip_container};
use serde_json::Value;

/// Maximum size of a document that is uploaded in one request, without a session.
const MAX_WHOLE_PUT_SIZE: u64 = 4_000_000;
/// Size of a document that is uploaded in one request.
pub(crate) const SMALL_SIZE: u64 = 1_000_000;
/// Size of a document that is uploaded in four fragments.
pub(crate) const LARGE_SIZE: u64 = 5_000_000;

/// File in the recipient's drive that docferry has not uploaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignFile {
    pub(crate) folder: &'static str,
    pub(crate) name: &'static str,
}

/// A fault and its expected result.
pub(crate) struct Row {
    /// Number of the fault in the design; `–` if it has none.
    pub(crate) number: &'static str,
    /// Description of the fault.
    pub(crate) fault: &'static str,
    /// Size of the document in bytes.
    pub(crate) size: u64,
    /// File name of the document.
    pub(crate) name: &'static str,
    pub(crate) policy: ConflictPolicy,
    /// Foreign file that exists from the start.
    pub(crate) foreign_file: Option<ForeignFile>,
    /// Foreign file that appears during the first pause of the upload.
    pub(crate) later_file: Option<ForeignFile>,
    /// Fault rules of the simulator.
    pub(crate) rules: Value,
    /// Whether open sessions expire during pauses.
    pub(crate) sessions_expire: bool,
    /// Function that changes the source object. It is called in each pause of the upload.
    pub(crate) change_source: fn(&World),
    /// Expected outcome.
    pub(crate) outcome: Result<(), FailureCode>,
    /// Expected number of bytes that the simulator receives, minus the document's size.
    pub(crate) excess_bytes: i64,
    /// Expected number of created sessions.
    pub(crate) sessions: usize,
    /// Expected number of files in the drive after the end.
    pub(crate) files: usize,
    /// Whether the delivery is expected to be recorded as rewritten.
    pub(crate) rewritten: bool,
    /// Whether the document is a ZIP container.
    pub(crate) is_zip_container: bool,
}

/// Returns a row for a document of `size` bytes. The row expects that the document is delivered and
/// that no byte is sent twice.
pub(crate) fn row(number: &'static str, fault: &'static str, size: u64, rules: Value) -> Row {
    Row {
        number,
        fault,
        size,
        name: "order.pdf",
        policy: Replace,
        foreign_file: None,
        later_file: None,
        rules,
        sessions_expire: false,
        change_source: |_| {},
        outcome: Ok(()),
        excess_bytes: 0,
        sessions: usize::from(size > MAX_WHOLE_PUT_SIZE),
        files: 1,
        rewritten: false,
        is_zip_container: false,
    }
}

/// Returns a row for a document that is uploaded in fragments.
pub(crate) fn large(number: &'static str, fault: &'static str, rules: Value) -> Row {
    row(number, fault, LARGE_SIZE, rules)
}

/// Returns a row for a document that is uploaded in one request.
pub(crate) fn small(number: &'static str, fault: &'static str, rules: Value) -> Row {
    row(number, fault, SMALL_SIZE, rules)
}

impl Row {
    /// Expects a delivery for which this many bytes are sent a second time.
    pub(crate) fn expect_resent_bytes(self, excess_bytes: i64) -> Self {
        Self { excess_bytes, ..self }
    }

    pub(crate) fn expect_sessions(self, sessions: usize) -> Self {
        Self { sessions, ..self }
    }

    pub(crate) fn with_expiring_sessions(self) -> Self {
        Self { sessions_expire: true, ..self }
    }

    pub(crate) fn with_policy(self, policy: ConflictPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Adds a foreign file at the document's own path.
    pub(crate) fn with_existing_file(self) -> Self {
        self.with_foreign_file(ForeignFile { folder: "Court", name: "order.pdf" })
    }

    pub(crate) fn with_foreign_file(self, file: ForeignFile) -> Self {
        Self { foreign_file: Some(file), ..self }
    }

    pub(crate) fn with_later_file(self, file: ForeignFile) -> Self {
        Self { later_file: Some(file), ..self }
    }

    pub(crate) fn expect_files(self, files: usize) -> Self {
        Self { files, ..self }
    }

    pub(crate) fn with_name(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn change_source_during_pauses(self, change: fn(&World)) -> Self {
        Self { change_source: change, ..self }
    }

    pub(crate) fn expect_rewritten(self) -> Self {
        Self { rewritten: true, ..self }
    }

    pub(crate) fn into_zip_container(self) -> Self {
        Self { is_zip_container: true, ..self }
    }

    /// Expects that the transfer fails after the simulator has received this many bytes, and that
    /// the drive then contains no file.
    pub(crate) fn expect_failure(self, code: FailureCode, received_bytes: i64) -> Self {
        let excess_bytes = received_bytes - i64::try_from(self.size).unwrap();
        Self { outcome: Err(code), excess_bytes, files: 0, ..self }
    }

    /// Returns the content of the document.
    pub(crate) fn document(&self) -> Vec<u8> {
        if !self.is_zip_container {
            return pattern(self.size);
        }
        let container_with = |text: &[u8]| {
            zip_container(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", text)])
        };
        let overhead = container_with(b"").len() as u64;
        container_with(&pattern(self.size - overhead)).to_vec()
    }
}

/// Returns `size` bytes with a repeating pattern. The pattern has 251 bytes. This is a prime
/// number, so consecutive fragments differ.
fn pattern(size: u64) -> Vec<u8> {
    (0..size).map(|position| u8::try_from(position % 251).unwrap()).collect()
}
