//! One row of the table: what goes wrong, and what must come of it.

use docferry_app::ports::ConflictPolicy::{self, Replace};
use docferry_domain::FailureCode;
use docferry_testkit::World;
use serde_json::Value;

pub(crate) const SMALL: u64 = 1_000_000;
pub(crate) const LARGE: u64 = 5_000_000;

pub(crate) struct Row {
    /// As the design numbers it.
    pub(crate) number: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) size: u64,
    pub(crate) name: &'static str,
    pub(crate) policy: ConflictPolicy,
    /// Folder and name of somebody's file that is there.
    pub(crate) foreign: Option<(&'static str, &'static str)>,
    /// The same for a file that comes while the drive is waited for.
    pub(crate) foreign_later: Option<(&'static str, &'static str)>,
    pub(crate) rules: Value,
    /// Sessions lapse while the drive is waited for.
    pub(crate) lapsing: bool,
    /// What happens to the source while the drive is waited for.
    pub(crate) meanwhile: fn(&World),
    pub(crate) outcome: Result<(), FailureCode>,
    /// Bytes sent again.
    pub(crate) extra: i64,
    pub(crate) sessions: usize,
    pub(crate) files: usize,
    pub(crate) rewritten: bool,
    /// The document is a ZIP container.
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
        foreign_later: None,
        rules,
        lapsing: false,
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
    pub(crate) fn again(self, extra: i64) -> Self {
        Self { extra, ..self }
    }

    pub(crate) fn sessions(self, sessions: usize) -> Self {
        Self { sessions, ..self }
    }

    pub(crate) fn lapsing(self) -> Self {
        Self { lapsing: true, ..self }
    }

    pub(crate) fn under(self, policy: ConflictPolicy) -> Self {
        Self { policy, ..self }
    }

    /// A file of the document's own name.
    pub(crate) fn beside_foreign(self) -> Self {
        self.beside(("Court", "order.pdf"))
    }

    pub(crate) fn beside(self, place: (&'static str, &'static str)) -> Self {
        Self { foreign: Some(place), ..self }
    }

    pub(crate) fn beside_later(self, place: (&'static str, &'static str)) -> Self {
        Self { foreign_later: Some(place), ..self }
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

    /// Fails, having received so many bytes, and nothing is at the destination.
    pub(crate) fn fails(self, code: FailureCode, received: i64) -> Self {
        let extra = received - i64::try_from(self.size).unwrap();
        Self { outcome: Err(code), extra, files: 0, ..self }
    }
}
