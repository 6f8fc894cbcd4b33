//! Filters of a search. Each parameter that selects documents becomes a filter, except the subject.

use docferry_domain::document::{DocumentKey, DocumentRecord};

use crate::DateRange;
use crate::parameter::{DateField, TokenField};
use crate::value::Token;

/// System of document numbers: the URI that marks an identifier as a document number.
pub const FILE_ID_SYSTEM: &str = "urn:docferry:file-id";
/// System of object GUIDs: the URI that marks an identifier as an object GUID.
pub const OBJECT_GUID_SYSTEM: &str = "urn:docferry:object-guid";

/// Filter of a search. A document passes if one of the alternatives of the filter applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The document has one of these keys.
    Key(Vec<DocumentKey>),
    /// The field has one of these codes.
    Token(TokenField, Codes),
    /// The time is in one of these ranges.
    Date(DateField, Vec<DateRange>),
}

/// Codes, each with an optional system. The type hides its content from other crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(pub(super) Vec<Token>);

impl Filter {
    /// Returns whether a document passes the filter.
    pub(super) fn matches(&self, record: &DocumentRecord) -> bool {
        match self {
            Self::Key(keys) => keys.iter().any(|key| key.is_of(record)),
            Self::Token(field, Codes(codes)) => {
                codes.iter().any(|code| has_wanted_code(*field, code, record))
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

/// Returns whether the document has the wanted code in this field. The comparison of media types
/// ignores case (RFC 9110, 8.3.1). All other codes are compared exactly.
fn has_wanted_code(field: TokenField, wanted: &Token, record: &DocumentRecord) -> bool {
    let has_system = match wanted.system.as_deref() {
        None => true,
        // An empty system selects codes without a system.
        Some("") => field.system().is_none(),
        Some(system) => field.system() == Some(system),
    };
    let has_code = match field {
        TokenField::Status => record.status.as_str() == wanted.code,
        TokenField::DocStatus => record.doc_status.as_str() == wanted.code,
        TokenField::Type => {
            record.type_code.as_ref().is_some_and(|code| code.as_str() == wanted.code)
        }
        TokenField::Category => {
            record.category.as_ref().is_some_and(|code| code.as_str() == wanted.code)
        }
        TokenField::ContentType => record.content_type.as_str().eq_ignore_ascii_case(&wanted.code),
    };
    has_system && has_code
}
