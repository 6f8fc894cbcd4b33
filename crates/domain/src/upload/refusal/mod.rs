//! Meaning of the error statuses of Microsoft Graph, for each operation, conflict policy
//! and occupant of the destination.
//!
//! [`TABLE`] is the only place that defines it. The Graph client classifies answers by it,
//! the state machine of an upload decides by it, `docs/GRAPH.md` is generated from it, and
//! the tests exercise each of its decisions.

mod table;
mod types;

use crate::failure::FailureCode;
use crate::upload::ConflictPolicy;

pub use table::TABLE;
pub use types::{Decision, Occupant, Operation, Row};

/// Meaning of a refusal before the destination has been looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The status alone decides.
    Decided(Decision),
    /// The policy and the occupant of the destination decide: [`after_lookup`].
    Conflict,
}

/// Statuses that the table lists. [`judge`] treats 408 and any other server error as 500,
/// and anything else as 400.
pub const STATUSES: [u16; 17] =
    [400, 401, 403, 404, 409, 410, 412, 416, 423, 429, 500, 501, 502, 503, 504, 507, 509];

/// Status by which [`after_lookup`] finds the rows of a conflict.
const CONFLICT: u16 = 409;

/// Returns the meaning of a refused call, from its status and the error codes in its body.
#[must_use]
pub fn judge<C: AsRef<str>>(operation: Operation, status: u16, codes: &[C]) -> Refusal {
    let status = match status {
        listed if STATUSES.contains(&listed) => listed,
        408 | 500..=599 => 500,
        _ => 400,
    };
    match TABLE.iter().find(|row| row.is_about(operation, status) && row.names_one_of(codes)) {
        Some(row) if row.policies.is_empty() && row.occupants.is_empty() => {
            Refusal::Decided(row.decision)
        }
        Some(_) => Refusal::Conflict,
        None => Refusal::Decided(Decision::Fail(FailureCode::DestinationRefused)),
    }
}

/// Returns the reaction to a conflict, once the occupant of the destination is known.
#[must_use]
pub fn after_lookup(operation: Operation, policy: ConflictPolicy, occupant: Occupant) -> Decision {
    let decides = |row: &&Row| {
        row.is_about(operation, CONFLICT)
            && (row.policies.is_empty() || row.policies.contains(&policy))
            && (row.occupants.is_empty() || row.occupants.contains(&occupant))
    };
    let row = TABLE.iter().find(decides);
    row.map_or(Decision::Fail(FailureCode::DestinationConflict), |row| row.decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CODES: [&str; 0] = [];

    #[test]
    fn every_operation_and_status_has_a_row_without_error_codes() {
        for operation in Operation::ALL {
            for status in STATUSES {
                let found =
                    TABLE.iter().any(|r| r.is_about(operation, status) && r.codes.is_empty());
                assert!(found, "{operation:?} {status}");
            }
        }
    }

    #[test]
    fn conflict_has_a_decision_for_every_policy_and_occupant() {
        for operation in Operation::ALL {
            if judge(operation, CONFLICT, &NO_CODES) != Refusal::Conflict {
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

    /// [`after_lookup`] searches by one status of a conflict, so its rows must list both.
    #[test]
    fn conflict_rows_list_the_same_statuses() {
        let conditional =
            TABLE.iter().filter(|r| !(r.policies.is_empty() && r.occupants.is_empty()));
        for row in conditional {
            assert_eq!(row.statuses, [409, 412], "{row:?}");
        }
    }

    #[test]
    fn no_row_is_hidden_by_the_rows_before_it() {
        for (at, row) in TABLE.iter().enumerate() {
            let is_hidden = |operation, status| {
                TABLE[..at].iter().any(|before| {
                    before.is_about(operation, status)
                        && before.codes.is_empty()
                        && before.policies.is_empty()
                        && before.occupants.is_empty()
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
        let sending = [
            Operation::CreateSession,
            Operation::Fragment,
            Operation::LastFragment,
            Operation::SmallPut,
        ];
        for operation in sending {
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
            let judged = judge(operation, 403, &["accessDenied"]);
            assert_eq!(judged, Refusal::Decided(Decision::NewSession), "{operation:?}");
        }
        let judged = judge(Operation::CreateSession, 403, &["accessDenied"]);
        assert_eq!(judged, Refusal::Decided(Decision::Fail(FailureCode::DestinationUnauthorized)));
    }

    #[test]
    fn statuses_that_are_not_listed_count_as_500_or_400() {
        for (status, listed) in [(408, 500), (505, 500), (599, 500), (411, 400), (302, 400)] {
            for operation in Operation::ALL {
                let judged = judge(operation, status, &NO_CODES);
                assert_eq!(judged, judge(operation, listed, &NO_CODES), "{operation:?} {status}");
            }
        }
    }
}
