//! Test cases, and the strategy that generates them.

use docferry_domain::upload::{ConflictPolicy as Policy, GRANULE_BYTES, SMALL_FILE_BYTES};
use proptest::prelude::*;

use crate::fault::{Fault, PlannedFault, any_fault};

pub(crate) const MB: u64 = 1_000_000;

/// A test case: a document, its destination, and the faults during its upload.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Size of the document, in bytes.
    pub(crate) total: u64,
    /// Maximum length of a fragment, in bytes.
    pub(crate) largest_fragment: u64,
    /// Rule for the case that a file with the document's name exists.
    pub(crate) policy: Policy,
    /// File of another origin that has the document's name before the upload, if any.
    pub(crate) foreign_file: Option<ForeignFile>,
    /// Faults in the order in which they are injected.
    pub(crate) faults: Vec<PlannedFault>,
}

/// Size of the foreign file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignFile {
    /// The file has the size of the document.
    SameSize,
    /// The file has another size than the document.
    OtherSize,
}

impl Case {
    /// Returns whether the case contains this fault.
    pub(crate) fn contains(&self, wanted: Fault) -> bool {
        self.count(|fault| fault == wanted) > 0
    }

    /// Returns the number of faults that satisfy the predicate.
    pub(crate) fn count(&self, predicate: impl Fn(Fault) -> bool) -> usize {
        self.faults.iter().filter(|planned| predicate(planned.fault)).count()
    }

    /// Returns whether the policy forbids the upload because of the foreign file.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.policy == Policy::Fail && self.foreign_file.is_some()
    }
}

/// Generates a document of any size, and up to 13 faults.
pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    let total = prop_oneof![
        0_u64..=SMALL_FILE_BYTES,
        SMALL_FILE_BYTES + 1..=12 * MB,
        (13_u64..=40).prop_map(|granules| granules * GRANULE_BYTES),
    ];
    let largest_fragment = (1_u64..=12).prop_map(|granules| granules * GRANULE_BYTES);
    let policy = prop_oneof![Just(Policy::Replace), Just(Policy::Rename), Just(Policy::Fail)];
    let foreign_file = prop_oneof![
        6 => Just(None),
        1 => Just(Some(ForeignFile::SameSize)),
        1 => Just(Some(ForeignFile::OtherSize)),
    ];
    let planned_fault = (0_u8..8, any_fault())
        .prop_map(|(commands_before, fault)| PlannedFault { commands_before, fault });
    let faults = proptest::collection::vec(planned_fault, 0..14);
    (total, largest_fragment, policy, foreign_file, faults).prop_map(
        |(total, largest_fragment, policy, foreign_file, faults)| Case {
            total,
            largest_fragment,
            policy,
            foreign_file,
            faults,
        },
    )
}
