//! Records of the document registry: one for each document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record_json::{FieldError, Members, RecordRules};
use super::{Code, ContentType, DocumentId, FileName, Group, Position, Subject};
use crate::ids::{FileId, ObjectGuid};

/// Largest whole number that every JSON parser reads exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;
/// Maximum number of entitlement groups of a document.
const MAX_GROUPS: usize = 32;

/// Defines an enum of codes with their texts.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),*
        }

        impl $name {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }
    };
}

codes!(
    /// Whether a document's content is complete.
    DocStatus {
        /// The document may still change.
        Preliminary = "preliminary",
        /// The document is complete.
        Final = "final"
    }
);

codes!(
    /// Whether a record is the valid one.
    RecordStatus {
        /// The record is valid.
        Current = "current",
        /// Another document has replaced this one.
        Superseded = "superseded"
    }
);

codes!(
    /// Result of the scan for malicious content.
    ScanResult {
        /// Nothing was found.
        Clean = "clean",
        /// The content is malicious.
        Infected = "infected",
        /// The content has not been scanned.
        Unscanned = "unscanned"
    }
);

/// Record of the document registry. Times are whole milliseconds.
///
/// [`DocumentRecord::from_json`] validates a record of the system of record; the serde form is the
/// stored one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRecord {
    /// Id in the registry.
    pub id: DocumentId,
    /// The court file or patient that the document concerns.
    pub subject: Subject,
    /// Number by which clients of the downloads API name the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// Id of the document at its source.
    pub obj_guid: ObjectGuid,
    /// File name at the source.
    pub file_name: FileName,
    /// Media type.
    pub content_type: ContentType,
    /// Size in bytes.
    pub size: u64,
    /// Time at which the document was created.
    pub created: Timestamp,
    /// Time at which the document was indexed; the order of a subject's documents.
    pub indexed: Timestamp,
    /// Code of the type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_code: Option<Code>,
    /// Code of the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Code>,
    /// Whether the content is complete.
    pub doc_status: DocStatus,
    /// Whether another document has replaced this one.
    pub status: RecordStatus,
    /// Result of the scan.
    pub scan_result: ScanResult,
    /// Time at which the document was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// Groups whose members may see the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

impl DocumentRecord {
    /// Names of the members of a record in JSON.
    pub const FIELDS: [&str; 16] = [
        "id",
        "subject",
        "fileId",
        "objGuid",
        "fileName",
        "contentType",
        "size",
        "created",
        "indexed",
        "type",
        "category",
        "docStatus",
        "status",
        "scanResult",
        "withdrawnAt",
        "groups",
    ];

    /// Validates a record in JSON. `status` is `current` when missing; `fileId`, `type`,
    /// `category`, `withdrawnAt` and `groups` are optional.
    ///
    /// # Errors
    /// An error for each faulty field. No error contains a value.
    pub fn from_json(text: &str, rules: &RecordRules<'_>) -> Result<Self, Vec<FieldError>> {
        let mut of = Members::parse(text, &Self::FIELDS)?;
        let id = of.required("id", Members::text);
        let subject = of.required("subject", |text| Members::subject(text, rules.subjects));
        let file_id = of.optional("fileId", |text| Members::number(text, 1..=MAX_NUMBER));
        let obj_guid = of.required("objGuid", Members::text);
        let file_name = of.required("fileName", Members::text);
        let content_type = of.required("contentType", Members::text);
        let size = of.required("size", |text| Members::number(text, 0..=MAX_NUMBER));
        let created = of.required("created", |text| Members::time(text, rules.now));
        let indexed = of.required("indexed", |text| Members::time(text, rules.now));
        let type_code = of.optional("type", Members::text);
        let category = of.optional("category", Members::text);
        let doc_status =
            of.required("docStatus", |text| Members::code(text, DocStatus::ALL, |c| c.as_str()));
        let status =
            of.optional("status", |text| Members::code(text, RecordStatus::ALL, |c| c.as_str()));
        let scan_result =
            of.required("scanResult", |text| Members::code(text, ScanResult::ALL, |c| c.as_str()));
        let withdrawn_at = of.optional("withdrawnAt", |text| Members::time(text, rules.now));
        let groups = of.optional("groups", |text| Members::texts(text, MAX_GROUPS));
        let build = || {
            Some(Self {
                id: id?,
                subject: subject?,
                file_id: file_id.map(FileId::new),
                obj_guid: obj_guid?,
                file_name: file_name?,
                content_type: content_type?,
                size: size?,
                created: created?,
                indexed: indexed?,
                type_code,
                category,
                doc_status: doc_status?,
                status: status.unwrap_or(RecordStatus::Current),
                scan_result: scan_result?,
                withdrawn_at,
                groups: groups.unwrap_or_default(),
            })
        };
        of.finish(build)
    }

    /// Returns the record to store when this one arrives for a document that is stored already. A
    /// withdrawal is final: the system of record repeats records that do not mention it.
    #[must_use]
    pub fn upserted_over(mut self, stored: &Self) -> Self {
        self.withdrawn_at = stored.withdrawn_at.or(self.withdrawn_at);
        self
    }

    /// Returns whether the document belongs to the list of its subject: neither withdrawn nor
    /// superseded.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.withdrawn_at.is_none() && self.status == RecordStatus::Current
    }

    /// Returns the position in the list of the subject.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { indexed: self.indexed, id: self.id.clone() }
    }
}
