//! Table of search parameters. It drives the parser, the capability statement and the
//! documentation.

/// A parameter of `DocumentReference` searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its spellings.
    pub names: &'static [&'static str],
    /// How its value is read.
    pub kind: Kind,
    /// Form of its value, in Markdown.
    pub values: &'static str,
    /// Meaning, in plain text.
    pub meaning: &'static str,
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

/// All parameters.
pub const PARAMETERS: [Parameter; 14] = [
    Parameter {
        names: &["subject:identifier", "subject.identifier", "patient.identifier"],
        kind: Kind::Subject,
        values: "`[system\\|]value`",
        meaning: "Identifier of the court file or patient that the documents concern. Required, \
                  unless _id or identifier is given.",
    },
    Parameter {
        names: &["_id"],
        kind: Kind::Id,
        values: "ids",
        meaning: "Ids of documents in the registry.",
    },
    Parameter {
        names: &["identifier"],
        kind: Kind::Identifier,
        values: "`[system\\|]value`",
        meaning: "Document numbers and object GUIDs.",
    },
    Parameter {
        names: &["status"],
        kind: Kind::Token(TokenField::Status),
        values: "`current`, `superseded`, `entered-in-error`",
        meaning: "Status of the reference. Only current documents are listed.",
    },
    Parameter {
        names: &["doc-status"],
        kind: Kind::Token(TokenField::DocStatus),
        values: "`preliminary`, `final`, `amended`, `entered-in-error`",
        meaning: "Status of the content. Preliminary documents are listed only if this asks for \
                  them.",
    },
    Parameter {
        names: &["type"],
        kind: Kind::Token(TokenField::Type),
        values: "codes",
        meaning: "Type of the document.",
    },
    Parameter {
        names: &["category"],
        kind: Kind::Token(TokenField::Category),
        values: "codes",
        meaning: "Category of the document.",
    },
    Parameter {
        names: &["contenttype"],
        kind: Kind::Token(TokenField::ContentType),
        values: "media types",
        meaning: "Media type of the content.",
    },
    Parameter {
        names: &["date"],
        kind: Kind::Date(DateField::Indexed),
        values: "`[eq\\|ge\\|gt\\|le\\|lt]date`",
        meaning: "Time at which the document was indexed. Partial dates are intervals in UTC; \
                  repeat the parameter for a range.",
    },
    Parameter {
        names: &["creation"],
        kind: Kind::Date(DateField::Created),
        values: "`[eq\\|ge\\|gt\\|le\\|lt]date`",
        meaning: "Time at which the document was created.",
    },
    Parameter {
        names: &["_count"],
        kind: Kind::Count,
        values: "1 to 1000, default 100",
        meaning: "Maximum number of documents on a page.",
    },
    Parameter {
        names: &["_sort"],
        kind: Kind::Sort,
        values: "`date`, `-date` (default)",
        meaning: "Order by the time at which the documents were indexed: oldest or newest first.",
    },
    Parameter {
        names: &["_summary"],
        kind: Kind::Summary,
        values: "`count`, `false` (default)",
        meaning: "With count, only the number of documents is returned.",
    },
    Parameter {
        names: &["_format"],
        kind: Kind::Format,
        values: "`json`",
        meaning: "Format of the response. Only JSON is supported.",
    },
];

/// The parameter of `next` links, which clients do not write themselves.
const PAGE_PARAMETER: Parameter = Parameter {
    names: &[PAGE],
    kind: Kind::Page,
    values: "token",
    meaning: "Place at which a page begins, as a next link names it.",
};

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
    for parameter in PARAMETERS.iter().chain([&PAGE_PARAMETER]) {
        if let Some(known) = parameter.names.iter().find(|known| **known == name) {
            return Lookup::Known(known, parameter.kind);
        }
    }
    let Some((base, _)) = name.split_once(':') else { return Lookup::Unknown };
    let mut known = PARAMETERS.iter().flat_map(|parameter| parameter.names);
    if known.any(|known| known.split(':').next() == Some(base)) {
        Lookup::UnsupportedModifier
    } else {
        Lookup::Unknown
    }
}

impl Parameter {
    /// Returns FHIR's type of the parameter; `None` for one that only controls the result.
    #[must_use]
    pub const fn search_type(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Subject | Kind::Id | Kind::Identifier | Kind::Token(_) => Some("token"),
            Kind::Date(_) => Some("date"),
            Kind::Count | Kind::Sort | Kind::Summary | Kind::Format | Kind::Page => None,
        }
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

/// Returns the parameters as a Markdown table.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from("| parameter | value | meaning |\n|---|---|---|\n");
    for Parameter { names, values, meaning, .. } in PARAMETERS {
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        table.push_str(&format!("| {names} | {values} | {meaning} |\n"));
    }
    table
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
        for name in ["type:not", "date:missing", "subject:Patient", "_id:", "subject:identifier:x"]
        {
            assert_eq!(look_up(name), Lookup::UnsupportedModifier, "{name}");
        }
        for name in ["subject", "patient:identifier", "Type", "colour:not", ""] {
            assert_eq!(look_up(name), Lookup::Unknown, "{name}");
        }
    }

    #[test]
    fn markdown_table_has_a_row_for_each_parameter() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), PARAMETERS.len() + 2);
        for row in table.lines() {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        }
    }
}
