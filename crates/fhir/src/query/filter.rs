//! Filters of a search.

use docferry_domain::document::{DocumentKey, DocumentRecord};

use crate::DateRange;
use crate::parameter::{DateField, TokenField};
use crate::value::Token;

/// System of document numbers.
pub const FILE_ID_SYSTEM: &str = "urn:docferry:file-id";
/// System of object GUIDs.
pub const OBJECT_GUID_SYSTEM: &str = "urn:docferry:object-guid";

/// Filter of a search. A document passes if one of the alternatives applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The document is one of these.
    Key(Vec<DocumentKey>),
    /// A code is one of these.
    Token(TokenField, Codes),
    /// A time is in one of these ranges.
    Date(DateField, Vec<DateRange>),
}

/// Codes with optional systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(pub(super) Vec<Token>);

impl Filter {
    pub(super) fn matches(&self, record: &DocumentRecord) -> bool {
        match self {
            Self::Key(keys) => keys.iter().any(|key| key.is_of(record)),
            Self::Token(field, Codes(codes)) => {
                codes.iter().any(|code| has_code(*field, code, record))
            }
            Self::Date(field, ranges) => {
                let time = match field {
                    DateField::Indexed => record.indexed,
                    DateField::Created => record.created,
                };
                ranges.iter().any(|range| range.contains(time))
            }
        }
    }
}

/// Returns whether the document has the code in this field. Media types are compared without case
/// (RFC 9110, 8.3.1), all other codes exactly.
fn has_code(field: TokenField, wanted: &Token, record: &DocumentRecord) -> bool {
    let is_system = match wanted.system.as_deref() {
        None => true,
        Some("") => field.system().is_none(),
        Some(system) => field.system() == Some(system),
    };
    let is_code = match field {
        TokenField::Status => record.status.as_str() == wanted.code,
        TokenField::DocStatus => record.doc_status.as_str() == wanted.code,
        TokenField::Type => record.type_code.as_ref().is_some_and(|c| c.as_str() == wanted.code),
        TokenField::Category => record.category.as_ref().is_some_and(|c| c.as_str() == wanted.code),
        TokenField::ContentType => record.content_type.as_str().eq_ignore_ascii_case(&wanted.code),
    };
    is_system && is_code
}
