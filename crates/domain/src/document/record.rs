//! Records of the document registry. A record contains the metadata of one document. The content of
//! the document is elsewhere.
//!
//! There are two parsers:
//!
//! - [`DocumentRecord::from_json`] strictly validates a record that comes from the system of record
//!   (the court's system in which the documents are registered).
//! - serde reads a stored record, which was validated before it was stored.

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
/// Length of `\uXXXX`, the longest form of a character in JSON. A character above U+FFFF needs two
/// of these, but it also has four bytes in UTF-8.
const ESCAPE_LEN: usize = 6;
/// Length of the quotes around a string.
const QUOTES_LEN: usize = 2;

/// Maximum length of a JSON string for a text of `bytes` bytes. It is reached if all characters are
/// ASCII and are escaped.
const fn string_len(bytes: usize) -> usize {
    QUOTES_LEN + ESCAPE_LEN * bytes
}

/// Computes [`DocumentRecord::MAX_JSON_LEN`] from the limits of the fields.
const fn longest_json() -> usize {
    // Length of an object without its values. Each member has a name, a colon and a comma. Add 1
    // for the whole object: it has two braces, and no comma after the last member.
    const fn object_without_values(names: &[&str]) -> usize {
        let (mut len, mut index) = (1, 0);
        while index < names.len() {
            len += string_len(names[index].len()) + 2;
            index += 1;
        }
        len
    }
    let subject = object_without_values(&["system", "value"])
        + string_len(MAX_SYSTEM_LEN)
        + string_len(MAX_VALUE_LEN);
    // The array has two brackets, and a comma after each group except for the last one.
    let groups = 1 + MAX_GROUPS * (string_len(Group::MAX_LEN) + 1);
    object_without_values(&DocumentRecord::FIELDS)
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

/// Returns the length of the longest code as a JSON string.
const fn longest_code(codes: &[&str]) -> usize {
    let (mut longest, mut index) = (0, 0);
    while index < codes.len() {
        let len = string_len(codes[index].len());
        longest = if len > longest { len } else { longest };
        index += 1;
    }
    longest
}

/// Defines an enum whose values have codes. A *code* is the text for a value in JSON.
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
    /// Whether a document is still valid.
    RecordStatus {
        /// The document is valid.
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
/// The registry stores one record for each document. The content of the document is in the object
/// store under [`obj_guid`](Self::obj_guid). Times are whole milliseconds.
///
/// `Serialize` and `Deserialize` are for the stored form only. They do not check the rules of a
/// deployment, and their errors may contain values.
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
    /// Time at which the document was indexed. The documents of a subject are listed by this time.
    pub indexed: Timestamp,
    /// Code of the document's type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_code: Option<Code>,
    /// Code of the document's category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Code>,
    /// Whether the content is complete.
    pub doc_status: DocStatus,
    /// Whether another document has replaced this one.
    pub status: RecordStatus,
    /// Result of the scan for malicious content.
    pub scan_result: ScanResult,
    /// Time at which the document was withdrawn; `None` if it is available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// Entitlement groups whose members may see the document.
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

    /// Length of the longest valid record in JSON, in bytes. The length counts every character of
    /// names and strings as escaped, and no white space between the tokens.
    pub const MAX_JSON_LEN: usize = longest_json();

    /// Parses and validates a record that the system of record sent. The members `fileId`, `type`,
    /// `category`, `withdrawnAt` and `groups` are optional. If `status` is missing, it is
    /// `current`.
    ///
    /// # Errors
    /// One error for each faulty field. No error contains a value.
    pub fn from_json(text: &str, rules: &RecordRules<'_>) -> Result<Self, Vec<FieldError>> {
        let mut members = Members::parse(text, &Self::FIELDS)?;
        let id = members.required("id", Members::text);
        let subject = members.required("subject", |raw| Members::subject(raw, rules.subjects));
        let file_id = members.optional("fileId", |raw| Members::number(raw, 1..=MAX_NUMBER));
        let obj_guid = members.required("objGuid", Members::text);
        let file_name = members.required("fileName", Members::text);
        let content_type = members.required("contentType", Members::text);
        let size = members.required("size", |raw| Members::number(raw, 0..=MAX_NUMBER));
        let created = members.required("created", |raw| Members::time(raw, rules.now));
        let indexed = members.required("indexed", |raw| Members::time(raw, rules.now));
        let type_code = members.optional("type", Members::text);
        let category = members.optional("category", Members::text);
        let doc_status = members
            .required("docStatus", |raw| Members::code(raw, DocStatus::ALL, |code| code.as_str()));
        let status = members
            .optional("status", |raw| Members::code(raw, RecordStatus::ALL, |code| code.as_str()));
        let scan_result = members.required("scanResult", |raw| {
            Members::code(raw, ScanResult::ALL, |code| code.as_str())
        });
        let withdrawn_at = members.optional("withdrawnAt", |raw| Members::time(raw, rules.now));
        let groups = members.optional("groups", |raw| Members::texts(raw, MAX_GROUPS));
        // If there is no error, each required field has a value, and `build` returns a record.
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
        members.finish(build)
    }

    /// Returns the record to store when the record `arriving` of this document arrives. Returns
    /// `None` if `arriving` has another GUID, because the GUID of a document never changes.
    ///
    /// The record with the later `indexed` wins. If both times are equal, `arriving` wins.
    ///
    /// A withdrawal in either record is final. Records may arrive in any order, and the system of
    /// record may repeat a record without the withdrawal.
    #[must_use]
    pub fn merged_with(&self, arriving: &Self) -> Option<Self> {
        if self.obj_guid != arriving.obj_guid {
            return None;
        }
        let newer = if self.indexed > arriving.indexed { self } else { arriving };
        let withdrawn_at = self.withdrawn_at.or(arriving.withdrawn_at);
        Some(Self { withdrawn_at, ..newer.clone() })
    }

    /// Returns whether the document appears in the list of its subject's documents. Withdrawn and
    /// superseded documents do not appear.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.withdrawn_at.is_none() && self.status == RecordStatus::Current
    }

    /// Returns the position of the document in the list of the subject's documents.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { indexed: self.indexed, id: self.id.clone() }
    }
}
