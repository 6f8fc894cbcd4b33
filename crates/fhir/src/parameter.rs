//! Table of search parameters. The parser and the capability statement use it.

/// A parameter of `DocumentReference` searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its spellings.
    pub names: &'static [&'static str],
    /// How its value is read.
    pub kind: Kind,
    /// Its entry in the capability statement; `None` for a parameter that does not select documents
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

/// How the value of a parameter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Identifier of the subject.
    Subject,
    /// Ids of documents.
    Id,
    /// Numbers and GUIDs of documents.
    Identifier,
    /// Codes.
    Token(TokenField),
    /// Ranges of time.
    Date(DateField),
    /// Size of a page.
    Count,
    /// Order.
    Sort,
    /// Whether only the number of documents is wanted.
    Summary,
    /// Format of the response.
    Format,
    /// Page token.
    Page,
}

/// Element of a document that holds a code.
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

/// Element of a document that holds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateField {
    /// Time at which the document was indexed.
    Indexed,
    /// Time at which the document was created.
    Created,
}

/// Name of the parameter that carries a page token.
pub(crate) const PAGE: &str = "_page";

const fn token(documentation: &'static str) -> Option<Declaration> {
    Some(Declaration { search_type: "token", documentation })
}

const fn date(documentation: &'static str) -> Option<Declaration> {
    Some(Declaration { search_type: "date", documentation })
}

/// All parameters.
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

/// The parameter of `next` links, which clients do not write themselves.
const PAGE_PARAMETER: Parameter = Parameter { names: &[PAGE], kind: Kind::Page, declaration: None };

/// Result of looking a name up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The parameter, and the spelling that was used.
    Known(&'static str, Kind),
    /// A known parameter with a modifier that is not supported. To ignore it would change the
    /// meaning of the search.
    UnsupportedModifier,
    /// Not a parameter of this search.
    Unknown,
}

/// Looks up a decoded name.
pub(crate) fn look_up(name: &str) -> Lookup {
    let all = || PARAMETERS.iter().chain([&PAGE_PARAMETER]);
    for parameter in all() {
        if let Some(known) = parameter.names.iter().find(|known| **known == name) {
            return Lookup::Known(known, parameter.kind);
        }
    }
    let Some((base, _)) = name.split_once(':') else { return Lookup::Unknown };
    let mut known = all().flat_map(|parameter| parameter.names);
    if known.any(|known| known.split(':').next() == Some(base)) {
        Lookup::UnsupportedModifier
    } else {
        Lookup::Unknown
    }
}

impl TokenField {
    /// Returns the URI of the code system, if there is one.
    pub(crate) const fn system(self) -> Option<&'static str> {
        match self {
            Self::Status => Some("http://hl7.org/fhir/document-reference-status"),
            Self::DocStatus => Some("http://hl7.org/fhir/composition-status"),
            Self::ContentType => Some("urn:ietf:bcp:13"),
            Self::Type | Self::Category => None,
        }
    }

    /// Returns the codes that FHIR allows; empty when any code is allowed.
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
    fn names_are_unique() {
        let names: Vec<_> = PARAMETERS.iter().flat_map(|parameter| parameter.names).collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name}");
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
