//! Entitlements: which documents a caller may see.
//!
//! An *entitlement* is one of three things: a role that covers all documents, a *claim* (a value in
//! the access token), or a [`Grant`] in the registry. A claim or grant covers the documents of a
//! *subject*, which is a court file or patient, or of an entitlement group.
//!
//! For a document that a caller may not see, the API responds as if the document did not exist.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DocumentRecord, Group, Subject};

/// Documents that a claim or grant covers. `Debug` hides the identifier of the subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Coverage {
    /// All documents of a subject.
    Subject(Subject),
    /// All documents of an entitlement group.
    Group(Group),
}

impl Coverage {
    /// Returns whether the entitlement covers a document.
    #[must_use]
    pub fn includes(&self, record: &DocumentRecord) -> bool {
        match self {
            Self::Subject(subject) => *subject == record.subject,
            Self::Group(group) => record.groups.contains(group),
        }
    }
}

/// Stored right of one person to see the covered documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The documents that the person may see.
    pub coverage: Coverage,
    /// Time from which the grant is no longer valid; `None` for a grant without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// Returns whether the grant is valid at `now`. It is no longer valid at the time of its
    /// expiry.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expiry| now < expiry)
    }
}

/// Caller of the API, with the entitlements from its access token. `Debug` hides the claims.
#[derive(Clone, PartialEq, Eq)]
pub enum Viewer {
    /// A service, or a person with a role that covers all documents.
    Unrestricted,
    /// A person without such a role. Claims and grants decide which documents the person may see.
    Restricted {
        /// Coverage by claims of the access token.
        claims: BTreeSet<Coverage>,
    },
}

impl Viewer {
    /// Returns whether the caller may see a document. `grants` are the caller's grants.
    ///
    /// No caller may see a withdrawn document.
    #[must_use]
    pub fn may_see(&self, record: &DocumentRecord, grants: &[Grant], now: Timestamp) -> bool {
        let is_entitled = match self {
            Self::Unrestricted => true,
            Self::Restricted { claims } => {
                let by_grant =
                    |grant: &Grant| grant.is_valid(now) && grant.coverage.includes(record);
                claims.iter().any(|claim| claim.includes(record)) || grants.iter().any(by_grant)
            }
        };
        is_entitled && record.withdrawn_at.is_none()
    }
}

/// The documents of a subject that claims and grants allow a caller to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectAccess {
    /// No document of the subject.
    None,
    /// The documents of the subject that belong to one of the caller's groups.
    OfGroups,
    /// All documents of the subject.
    All,
}

impl Viewer {
    /// Returns which documents of a subject the caller may see. In contrast to [`Viewer::may_see`],
    /// the function needs no document record.
    #[must_use]
    pub fn subject_access(
        &self,
        subject: &Subject,
        grants: &[Grant],
        now: Timestamp,
    ) -> SubjectAccess {
        let Self::Restricted { claims } = self else { return SubjectAccess::All };
        let valid_grants = grants.iter().filter(|grant| grant.is_valid(now));
        let coverages = claims.iter().chain(valid_grants.map(|grant| &grant.coverage));
        coverages.fold(SubjectAccess::None, |access, coverage| match coverage {
            Coverage::Subject(covered) if covered == subject => SubjectAccess::All,
            Coverage::Group(_) if access == SubjectAccess::None => SubjectAccess::OfGroups,
            Coverage::Group(_) | Coverage::Subject(_) => access,
        })
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unrestricted => "Viewer(unrestricted)",
            Self::Restricted { .. } => "Viewer(restricted)",
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn subject(value: &str) -> Subject {
        serde_json::from_value(json!({ "system": "urn:example:court-file", "value": value }))
            .unwrap()
    }

    fn record() -> DocumentRecord {
        serde_json::from_value(json!({
            "id": "a-1",
            "subject": { "system": "urn:example:court-file", "value": "S-1" },
            "objGuid": "AAAA",
            "fileName": "order.pdf",
            "contentType": "application/pdf",
            "size": 7,
            "created": "2026-01-01T00:00:00Z",
            "indexed": "2026-01-01T00:00:00Z",
            "docStatus": "final",
            "status": "current",
            "scanResult": "clean",
            "groups": ["criminal"],
        }))
        .unwrap()
    }

    fn grant(coverage: Coverage, seconds_left: Option<i64>) -> Grant {
        let expires_at = seconds_left.map(|seconds| NOW + SignedDuration::from_secs(seconds));
        Grant { coverage, expires_at }
    }

    #[test]
    fn person_sees_a_document_only_by_claim_or_valid_grant() {
        let this_subject = || Coverage::Subject(subject("S-1"));
        let other_subject = || Coverage::Subject(subject("S-2"));
        let group = |name: &str| Coverage::Group(name.parse().unwrap());
        for (claims, grants, expected) in [
            (vec![], vec![], false),
            (vec![this_subject()], vec![], true),
            (vec![other_subject()], vec![], false),
            (vec![group("criminal")], vec![], true),
            (vec![group("civil")], vec![], false),
            (vec![], vec![grant(this_subject(), None)], true),
            (vec![], vec![grant(this_subject(), Some(1))], true),
            (vec![], vec![grant(this_subject(), Some(0))], false),
            (vec![], vec![grant(group("criminal"), None)], true),
            (vec![], vec![grant(group("criminal"), Some(-1))], false),
            (vec![other_subject()], vec![grant(group("civil"), None)], false),
        ] {
            let viewer = Viewer::Restricted { claims: claims.iter().cloned().collect() };
            assert_eq!(viewer.may_see(&record(), &grants, NOW), expected, "{claims:?} {grants:?}");
        }
    }

    #[test]
    fn withdrawn_document_is_invisible_even_to_a_service() {
        let withdrawn = DocumentRecord { withdrawn_at: Some(NOW), ..record() };
        assert!(Viewer::Unrestricted.may_see(&record(), &[], NOW));
        assert!(!Viewer::Unrestricted.may_see(&withdrawn, &[], NOW));
    }

    #[test]
    fn access_to_a_subject_depends_on_claims_and_valid_grants() {
        let this_subject = || Coverage::Subject(subject("S-1"));
        let other_subject = || Coverage::Subject(subject("S-2"));
        let group = || Coverage::Group("civil".parse().unwrap());
        for (claims, grants, expected) in [
            (vec![], vec![], SubjectAccess::None),
            (vec![other_subject()], vec![grant(other_subject(), None)], SubjectAccess::None),
            (
                vec![],
                vec![grant(this_subject(), Some(0)), grant(group(), Some(0))],
                SubjectAccess::None,
            ),
            (vec![group(), other_subject()], vec![], SubjectAccess::OfGroups),
            (vec![], vec![grant(group(), None)], SubjectAccess::OfGroups),
            (vec![this_subject(), group()], vec![], SubjectAccess::All),
            (vec![group()], vec![grant(this_subject(), Some(1))], SubjectAccess::All),
        ] {
            let viewer = Viewer::Restricted { claims: claims.iter().cloned().collect() };
            let access = viewer.subject_access(&subject("S-1"), &grants, NOW);
            assert_eq!(access, expected, "{claims:?} {grants:?}");
        }
        let access = Viewer::Unrestricted.subject_access(&subject("S-1"), &[], NOW);
        assert_eq!(access, SubjectAccess::All);
    }

    #[test]
    fn debug_output_hides_subject_identifiers() {
        let claims = BTreeSet::from([Coverage::Subject(subject("S-1"))]);
        let shown = format!("{claims:?} {:?}", Viewer::Restricted { claims: claims.clone() });
        assert!(!shown.contains("S-1"), "{shown}");
    }
}
