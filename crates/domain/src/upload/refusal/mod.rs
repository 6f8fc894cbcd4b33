//! Refusals: error responses of Microsoft Graph, and docferry's reaction to each of them.
//!
//! [`TABLE`] is the only place that defines the reactions. A reaction depends on the *operation*
//! (the kind of call) and on the status. For some conflicts, it also depends on the conflict policy
//! and on the *occupant*, which is the item at the destination's path.
//!
//! The Graph client classifies error responses with [`classify`]. After a conflict, the state
//! machine of an upload looks up the destination and calls [`after_lookup`]. `docs/GRAPH.md` is
//! generated from the table.

mod table;
mod types;

use crate::failure::FailureCode;
use crate::upload::ConflictPolicy;

pub use table::TABLE;
pub use types::{Decision, Occupant, Operation, Row};

/// Meaning of a refusal before the occupant of the destination is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalMeaning {
    /// The status alone decides.
    Decided(Decision),
    /// The conflict policy and the occupant of the destination decide. The destination must
    /// be looked up; then [`after_lookup`] returns the reaction.
    Conflict,
}

/// Statuses that the table lists. [`classify`] treats 408 and every unlisted server error as
/// 500. It treats every other unlisted status as 400.
pub const STATUSES: [u16; 17] =
    [400, 401, 403, 404, 409, 410, 412, 416, 423, 429, 500, 501, 502, 503, 504, 507, 509];

/// Status by which [`after_lookup`] finds the rows for conflicts. Each of these rows lists 409 and
/// 412, so one of the two is enough.
const CONFLICT: u16 = 409;

/// Returns the meaning of an error response, from its status and the error codes in its body.
#[must_use]
pub fn classify<C: AsRef<str>>(
    operation: Operation,
    status: u16,
    error_codes: &[C],
) -> RefusalMeaning {
    let status = match status {
        listed if STATUSES.contains(&listed) => listed,
        408 | 500..=599 => 500,
        _ => 400,
    };
    match TABLE.iter().find(|row| row.is_about(operation, status) && row.matches_codes(error_codes))
    {
        Some(row) if row.policies.is_empty() && row.occupants.is_empty() => {
            RefusalMeaning::Decided(row.decision)
        }
        Some(_) => RefusalMeaning::Conflict,
        None => RefusalMeaning::Decided(Decision::Fail(FailureCode::DestinationRefused)),
    }
}

/// Returns the reaction to a conflict, once the occupant of the destination is known.
#[must_use]
pub fn after_lookup(operation: Operation, policy: ConflictPolicy, occupant: Occupant) -> Decision {
    let matches_conflict = |row: &&Row| {
        row.is_about(operation, CONFLICT)
            && (row.policies.is_empty() || row.policies.contains(&policy))
            && (row.occupants.is_empty() || row.occupants.contains(&occupant))
    };
    let row = TABLE.iter().find(matches_conflict);
    row.map_or(Decision::Fail(FailureCode::DestinationConflict), |row| row.decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ERROR_CODES: [&str; 0] = [];

    #[test]
    fn every_operation_and_status_has_a_row_without_error_codes() {
        for operation in Operation::ALL {
            for status in STATUSES {
                let has_row =
                    TABLE.iter().any(|row| row.is_about(operation, status) && row.codes.is_empty());
                assert!(has_row, "{operation:?} {status}");
            }
        }
    }

    #[test]
    fn conflict_has_a_decision_for_every_policy_and_occupant() {
        for operation in Operation::ALL {
            if classify(operation, CONFLICT, &NO_ERROR_CODES) != RefusalMeaning::Conflict {
                continue;
            }
            for policy in ConflictPolicy::ALL {
                for occupant in Occupant::ALL {
                    let decides = TABLE.iter().any(|row| {
                        row.is_about(operation, CONFLICT)
                            && (row.policies.is_empty() || row.policies.contains(&policy))
                            && (row.occupants.is_empty() || row.occupants.contains(&occupant))
                    });
                    assert!(decides, "{operation:?} {policy:?} {occupant:?}");
                }
            }
        }
    }

    /// [`after_lookup`] searches by status 409 only, so each row for conflicts must list both
    /// statuses of a conflict.
    #[test]
    fn conflict_rows_list_the_same_statuses() {
        let conflict_rows =
            TABLE.iter().filter(|row| !(row.policies.is_empty() && row.occupants.is_empty()));
        for row in conflict_rows {
            assert_eq!(row.statuses, [409, 412], "{row:?}");
        }
    }

    #[test]
    fn no_row_is_hidden_by_the_rows_before_it() {
        for (index, row) in TABLE.iter().enumerate() {
            let is_hidden = |operation, status| {
                TABLE[..index].iter().any(|earlier| {
                    earlier.is_about(operation, status)
                        && earlier.codes.is_empty()
                        && earlier.policies.is_empty()
                        && earlier.occupants.is_empty()
                })
            };
            for operation in row.operations {
                for status in row.statuses {
                    assert!(!is_hidden(*operation, *status), "{operation:?} {status}: {row:?}");
                }
            }
        }
    }

    #[test]
    fn replace_fails_only_for_a_folder_or_file_in_the_path() {
        let writing_operations = [
            Operation::CreateSession,
            Operation::Fragment,
            Operation::LastFragment,
            Operation::SmallPut,
        ];
        for operation in writing_operations {
            for occupant in Occupant::ALL {
                let decision = after_lookup(operation, ConflictPolicy::Replace, occupant);
                let is_final = matches!(decision, Decision::Fail(_));
                let is_in_the_way = matches!(occupant, Occupant::Folder | Occupant::FileInPath);
                assert_eq!(is_final, is_in_the_way, "{operation:?} {occupant:?}");
            }
        }
    }

    #[test]
    fn status_403_on_an_upload_url_does_not_blame_the_credentials() {
        for operation in [Operation::Fragment, Operation::LastFragment, Operation::SessionStatus] {
            let meaning = classify(operation, 403, &["accessDenied"]);
            assert_eq!(meaning, RefusalMeaning::Decided(Decision::NewSession), "{operation:?}");
        }
        let meaning = classify(Operation::CreateSession, 403, &["accessDenied"]);
        assert_eq!(
            meaning,
            RefusalMeaning::Decided(Decision::Fail(FailureCode::DestinationUnauthorized))
        );
    }

    #[test]
    fn statuses_that_are_not_listed_count_as_500_or_400() {
        for (status, equivalent) in [(408, 500), (505, 500), (599, 500), (411, 400), (302, 400)] {
            for operation in Operation::ALL {
                let meaning = classify(operation, status, &NO_ERROR_CODES);
                assert_eq!(
                    meaning,
                    classify(operation, equivalent, &NO_ERROR_CODES),
                    "{operation:?} {status}"
                );
            }
        }
    }
}
