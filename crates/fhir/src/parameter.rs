//! Table of the parameters of a search for documents.
//!
//! The parser of a search looks each name up in the table to learn how to parse the value. The
//! capability statement, which describes the API to FHIR clients, lists the parameters of the
//! table.

/// Name of the parameter that contains a page token.
pub(crate) const PAGE: &str = "_page";

/// A parameter of `DocumentReference` searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Names of the parameter. They are synonyms.
    pub names: &'static [&'static str],
    /// Kind of the parameter. It decides how the parser reads the value.
    pub kind: Kind,
    /// Entry in the capability statement; `None` for a parameter that does not select documents
    /// but controls the response.
    pub declaration: Option<Declaration>,
}

/// Entry of a parameter in the capability statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declaration {
    /// FHIR's type of the parameter.
    pub search_type: &'static str,
    /// Description, in plain text.
    pub documentation: &'static str,
}

/// Kind of a parameter: the meaning of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Identifier of the subject.
    Subject,
    /// Ids of documents.
    Id,
    /// Numbers and GUIDs of documents.
    Identifier,
    /// Codes in one field of a document.
    Token(TokenField),
    /// Ranges for one time of a document.
    Date(DateField),
    /// Maximum number of documents on a page.
    Count,
    /// Order of the documents.
    Sort,
    /// Whether the response contains the documents or only their number.
    Summary,
    /// Media type of the response.
    Format,
    /// Page token: an encrypted text that says where the page begins.
    Page,
}

/// Field of a document that contains a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenField {
    /// Status of the reference.
    Status,
    /// Status of the content.
    DocStatus,
    /// Type of the document.
    Type,
    /// Category of the document.
    Category,
    /// Media type of the content.
    ContentType,
}

/// Field of a document that contains a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateField {
    /// Time at which the document was indexed.
    Indexed,
    /// Time at which the document was created.
    Created,
}

/// Returns the declaration of a parameter of the FHIR type `token`.
const fn token(documentation: &'static str) -> Option<Declaration> {
    Some(Declaration { search_type: "token", documentation })
}

/// Returns the declaration of a parameter of the FHIR type `date`.
const fn date(documentation: &'static str) -> Option<Declaration> {
    Some(Declaration { search_type: "date", documentation })
}

/// All parameters that clients may write.
pub const PARAMETERS: [Parameter; 14] = [
    Parameter {
        names: &["subject:identifier", "subject.identifier", "patient.identifier"],
        kind: Kind::Subject,
        declaration: token(
            "Identifier of the court file or patient that the documents concern. Required, \
             unless _id or identifier is given.",
        ),
    },
    Parameter {
        names: &["_id"],
        kind: Kind::Id,
        declaration: token("Ids of documents in the registry."),
    },
    Parameter {
        names: &["identifier"],
        kind: Kind::Identifier,
        declaration: token("Document numbers and object GUIDs."),
    },
    Parameter {
        names: &["status"],
        kind: Kind::Token(TokenField::Status),
        declaration: token("Status of the reference. Only current documents are listed."),
    },
    Parameter {
        names: &["doc-status"],
        kind: Kind::Token(TokenField::DocStatus),
        declaration: token(
            "Status of the content. Preliminary documents are listed only if this asks for \
             them.",
        ),
    },
    Parameter {
        names: &["type"],
        kind: Kind::Token(TokenField::Type),
        declaration: token("Type of the document."),
    },
    Parameter {
        names: &["category"],
        kind: Kind::Token(TokenField::Category),
        declaration: token("Category of the document."),
    },
    Parameter {
        names: &["contenttype"],
        kind: Kind::Token(TokenField::ContentType),
        declaration: token("Media type of the content."),
    },
    Parameter {
        names: &["date"],
        kind: Kind::Date(DateField::Indexed),
        declaration: date(
            "Time at which the document was indexed. Partial dates are intervals in UTC; \
             repeat the parameter for a range.",
        ),
    },
    Parameter {
        names: &["creation"],
        kind: Kind::Date(DateField::Created),
        declaration: date("Time at which the document was created."),
    },
    Parameter { names: &["_count"], kind: Kind::Count, declaration: None },
    Parameter { names: &["_sort"], kind: Kind::Sort, declaration: None },
    Parameter { names: &["_summary"], kind: Kind::Summary, declaration: None },
    Parameter { names: &["_format"], kind: Kind::Format, declaration: None },
];

/// Parameter of the page token. It is not in [`PARAMETERS`], because clients do not write it: they
/// only use the link to the next page, which contains it.
const PAGE_PARAMETER: Parameter = Parameter { names: &[PAGE], kind: Kind::Page, declaration: None };

/// Result of [`look_up`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The name is in the table. The fields are the name and the kind of the parameter.
    Known(&'static str, Kind),
    /// The name is that of a known parameter, with a modifier that is not supported, such as
    /// `type:not`. The parser must not ignore such a parameter, because the search would find other
    /// documents.
    UnsupportedModifier,
    /// The name is not in the table.
    Unknown,
}

/// Looks up a percent-decoded name in the table.
pub(crate) fn look_up(name: &str) -> Lookup {
    let parameters = || PARAMETERS.iter().chain([&PAGE_PARAMETER]);
    for parameter in parameters() {
        if let Some(known_name) = parameter.names.iter().find(|known_name| **known_name == name) {
            return Lookup::Known(known_name, parameter.kind);
        }
    }
    let Some((base_name, _modifier)) = name.split_once(':') else { return Lookup::Unknown };
    let mut known_names = parameters().flat_map(|parameter| parameter.names);
    if known_names.any(|known_name| known_name.split(':').next() == Some(base_name)) {
        Lookup::UnsupportedModifier
    } else {
        Lookup::Unknown
    }
}

impl TokenField {
    /// Returns the URI of the system that defines the codes of this field. Returns `None` if the
    /// codes have no system.
    pub(crate) const fn system(self) -> Option<&'static str> {
        match self {
            Self::Status => Some("http://hl7.org/fhir/document-reference-status"),
            Self::DocStatus => Some("http://hl7.org/fhir/composition-status"),
            Self::ContentType => Some("urn:ietf:bcp:13"),
            Self::Type | Self::Category => None,
        }
    }

    /// Returns the codes that FHIR allows in this field. An empty list means that FHIR allows every
    /// code.
    pub(crate) const fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Status => &["current", "superseded", "entered-in-error"],
            Self::DocStatus => &["preliminary", "final", "amended", "entered-in-error"],
            Self::Type | Self::Category | Self::ContentType => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_names_are_unique_and_found_by_look_up() {
        let names: Vec<_> = PARAMETERS.iter().flat_map(|parameter| parameter.names).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name}");
            assert!(matches!(look_up(name), Lookup::Known(known, _) if known == **name));
        }
    }

    #[test]
    fn modifier_of_a_known_parameter_is_not_ignored() {
        for name in [
            "type:not",
            "date:missing",
            "subject:Patient",
            "_id:",
            "subject:identifier:x",
            "_count:x",
            "_sort:x",
            "_summary:x",
            "_format:x",
            "_page:x",
            "_page:",
        ] {
            assert_eq!(look_up(name), Lookup::UnsupportedModifier, "{name}");
        }
        for name in ["subject", "patient:identifier", "Type", "colour:not", ""] {
            assert_eq!(look_up(name), Lookup::Unknown, "{name}");
        }
    }
}
