//! Row of the fault table: an injected fault and the expected result.

use docferry_app::ports::ConflictPolicy::{self, Replace};
use docferry_domain::failure::FailureCode;
use docferry_testkit::World;
use serde_json::Value;

pub(crate) const SMALL: u64 = 1_000_000;
pub(crate) const LARGE: u64 = 5_000_000;

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
    /// Folder and name of another owner's file that exists from the start.
    pub(crate) foreign: Option<(&'static str, &'static str)>,
    /// Folder and name of another owner's file that appears during the first pause.
    pub(crate) later_file: Option<(&'static str, &'static str)>,
    /// Fault rules of the simulator.
    pub(crate) rules: Value,
    /// Whether open sessions expire during pauses.
    pub(crate) sessions_expire: bool,
    /// Change of the source during pauses.
    pub(crate) meanwhile: fn(&World),
    /// Expected outcome.
    pub(crate) outcome: Result<(), FailureCode>,
    /// Expected number of received bytes minus the document's size.
    pub(crate) extra: i64,
    /// Expected number of created sessions.
    pub(crate) sessions: usize,
    /// Expected number of files in the drive after the end.
    pub(crate) files: usize,
    /// Whether the delivery is expected to be recorded as rewritten.
    pub(crate) rewritten: bool,
    /// Whether the document is a ZIP container.
    pub(crate) container: bool,
}

pub(crate) fn row(number: &'static str, fault: &'static str, size: u64, rules: Value) -> Row {
    Row {
        number,
        fault,
        size,
        name: "order.pdf",
        policy: Replace,
        foreign: None,
        later_file: None,
        rules,
        sessions_expire: false,
        meanwhile: |_| {},
        outcome: Ok(()),
        extra: 0,
        sessions: usize::from(size > 4_000_000),
        files: 1,
        rewritten: false,
        container: false,
    }
}

pub(crate) fn large(number: &'static str, fault: &'static str, rules: Value) -> Row {
    row(number, fault, LARGE, rules)
}

pub(crate) fn small(number: &'static str, fault: &'static str, rules: Value) -> Row {
    row(number, fault, SMALL, rules)
}

impl Row {
    /// Expects that so many bytes are sent again.
    pub(crate) fn again(self, extra: i64) -> Self {
        Self { extra, ..self }
    }

    pub(crate) fn sessions(self, sessions: usize) -> Self {
        Self { sessions, ..self }
    }

    pub(crate) fn sessions_expire(self) -> Self {
        Self { sessions_expire: true, ..self }
    }

    pub(crate) fn under(self, policy: ConflictPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Adds another owner's file at the document's own path.
    pub(crate) fn with_existing_file(self) -> Self {
        self.beside(("Court", "order.pdf"))
    }

    pub(crate) fn beside(self, place: (&'static str, &'static str)) -> Self {
        Self { foreign: Some(place), ..self }
    }

    pub(crate) fn with_later_file_at(self, place: (&'static str, &'static str)) -> Self {
        Self { later_file: Some(place), ..self }
    }

    pub(crate) fn files(self, files: usize) -> Self {
        Self { files, ..self }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn meanwhile(self, meanwhile: fn(&World)) -> Self {
        Self { meanwhile, ..self }
    }

    pub(crate) fn rewritten(self) -> Self {
        Self { rewritten: true, ..self }
    }

    pub(crate) fn container(self) -> Self {
        Self { container: true, ..self }
    }

    /// Expects a failure after so many received bytes, with no file at the destination.
    pub(crate) fn fails(self, code: FailureCode, received: i64) -> Self {
        let extra = received - i64::try_from(self.size).unwrap();
        Self { outcome: Err(code), extra, files: 0, ..self }
    }
}
