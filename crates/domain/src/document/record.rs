//! Records of the document registry: one for each document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record_json::{FieldError, MAX_TIME_LEN, Members, RecordRules};
use super::subject::MAX_SYSTEM_LEN;
use super::subject_pattern::MAX_VALUE_LEN;
use super::{Code, ContentType, DocumentId, FileName, Group, Position, Subject};
use crate::ids::{FileId, ObjectGuid};

/// Largest whole number that every JSON parser reads exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;
/// Maximum number of entitlement groups of a document.
const MAX_GROUPS: usize = 32;

/// Number of digits of [`MAX_NUMBER`].
const MAX_DIGITS: usize = MAX_NUMBER.ilog10() as usize + 1;
/// Length of `\uXXXX`, the longest form of a character in JSON. A character above U+FFFF, which has
/// four bytes in UTF-8, needs two of them.
const ESCAPE_LEN: usize = 6;
/// Length of the quotes around a string.
const QUOTES_LEN: usize = 2;

/// Length of a JSON string in which each byte is an escaped ASCII character. No other text of so
/// many bytes is longer.
const fn string_len(bytes: usize) -> usize {
    QUOTES_LEN + ESCAPE_LEN * bytes
}

/// Computes [`DocumentRecord::MAX_JSON_LEN`] from the limits of the fields.
const fn longest_json() -> usize {
    // An object has braces, and for each member a colon and a comma, except for the last comma.
    const fn object(names: &[&str]) -> usize {
        let (mut len, mut at) = (1, 0);
        while at < names.len() {
            len += string_len(names[at].len()) + 2;
            at += 1;
        }
        len
    }
    let subject =
        object(&["system", "value"]) + string_len(MAX_SYSTEM_LEN) + string_len(MAX_VALUE_LEN);
    // Brackets, and a comma for each group except for the last one.
    let groups = 1 + MAX_GROUPS * (string_len(Group::MAX_LEN) + 1);
    object(&DocumentRecord::FIELDS)
        + string_len(DocumentId::MAX_LEN)
        + subject
        + MAX_DIGITS
        + string_len(ObjectGuid::MAX_LEN)
        + QUOTES_LEN
        + 2 * ESCAPE_LEN * FileName::MAX_CHARS
        + string_len(ContentType::MAX_LEN)
        + MAX_DIGITS
        + 3 * string_len(MAX_TIME_LEN)
        + 2 * string_len(Code::MAX_LEN)
        + longest_code(DocStatus::TEXTS)
        + longest_code(RecordStatus::TEXTS)
        + longest_code(ScanResult::TEXTS)
        + groups
}

/// Returns the length of the longest of some codes as a JSON string.
const fn longest_code(codes: &[&str]) -> usize {
    let (mut longest, mut at) = (0, 0);
    while at < codes.len() {
        let len = string_len(codes[at].len());
        longest = if len > longest { len } else { longest };
        at += 1;
    }
    longest
}

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

            /// The codes of all values.
            const TEXTS: &[&str] = &[$($text),*];

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

/// Metadata of one document: its keys, its subject, its file, its codes and its state.
///
/// The system of record writes a record for each document, and the registry stores it. The content
/// of the document is elsewhere: [`obj_guid`](Self::obj_guid) names it. Times are whole
/// milliseconds.
///
/// [`DocumentRecord::from_json`] reads and validates a record of the system of record. `Serialize`
/// and `Deserialize` are for the stored form only: they do not check the rules of a deployment, and
/// their errors may contain values.
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

    /// Length of the longest valid record in JSON, in bytes, if no white space separates its
    /// tokens and each character of its strings and names is escaped.
    pub const MAX_JSON_LEN: usize = longest_json();

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

    /// Returns the record to store when another record of this document arrives. Returns `None` if
    /// that record has another GUID, because the GUID of a document never changes.
    ///
    /// The record with the later `indexed` is stored; of two with the same time, the one that arrives
    /// later. A withdrawal in either of them counts and is final, because the system of record
    /// repeats its records without it and in any order.
    #[must_use]
    pub fn merged_with(&self, arriving: &Self) -> Option<Self> {
        if self.obj_guid != arriving.obj_guid {
            return None;
        }
        let newer = if self.indexed > arriving.indexed { self } else { arriving };
        let withdrawn_at = self.withdrawn_at.or(arriving.withdrawn_at);
        Some(Self { withdrawn_at, ..newer.clone() })
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
