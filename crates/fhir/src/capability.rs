//! `CapabilityStatement`: FHIR's description of a server. Clients read it to learn which resources
//! and search parameters the server supports. It lists the parameters of the
//! [table of parameters](crate::parameter::PARAMETERS), so it agrees with the parser of searches.

use serde::Serialize;

use crate::BaseUrl;
use crate::parameter::{Declaration, PARAMETERS};

/// Body of the response to `GET /metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "resourceType", rename_all = "camelCase")]
pub struct CapabilityStatement {
    status: &'static str,
    date: String,
    kind: &'static str,
    software: Software,
    implementation: Implementation,
    fhir_version: &'static str,
    format: [&'static str; 2],
    rest: [Rest; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Software {
    name: &'static str,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Implementation {
    description: &'static str,
    url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Rest {
    mode: &'static str,
    security: Security,
    resource: [Resource; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Security {
    cors: bool,
    description: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "type")]
    kind: &'static str,
    documentation: &'static str,
    interaction: [Interaction; 2],
    versioning: &'static str,
    search_param: Vec<SearchParam>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Interaction {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SearchParam {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    documentation: &'static str,
}

impl CapabilityStatement {
    /// Creates the statement of a deployment. `base` is the public address of its API, `version` is
    /// the version of docferry, and `date` is the day of the release (`YYYY-MM-DD`).
    #[must_use]
    pub fn new(base: &BaseUrl, version: &str, date: &str) -> Self {
        let search_param = PARAMETERS.iter().flat_map(|parameter| {
            parameter.names.iter().filter_map(|name| {
                let Declaration { search_type, documentation } = parameter.declaration?;
                Some(SearchParam { name, kind: search_type, documentation })
            })
        });
        Self {
            status: "active",
            date: date.to_owned(),
            kind: "instance",
            software: Software { name: "docferry", version: version.to_owned() },
            implementation: Implementation {
                description: "Search and delivery of documents",
                url: base.as_str().to_owned(),
            },
            fhir_version: "4.0.1",
            format: ["application/fhir+json", "json"],
            rest: [Rest {
                mode: "server",
                security: Security {
                    cors: true,
                    description: "A bearer token is required. A caller sees only the documents \
                                  that a role, a claim or a grant allows.",
                },
                resource: [Resource {
                    kind: "DocumentReference",
                    documentation: "attachment.url starts or finds a download of the document: \
                                    302 when a copy is ready, else 202 with Location.",
                    interaction: [
                        Interaction { code: "read" },
                        Interaction { code: "search-type" },
                    ],
                    versioning: "no-version",
                    search_param: search_param.collect(),
                }],
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::Parameter;

    #[test]
    fn every_search_parameter_is_declared_once() {
        let base = "https://docs.example".parse().unwrap();
        let statement = CapabilityStatement::new(&base, "1.0.0", "2026-03-01");
        let declared: Vec<_> =
            statement.rest[0].resource[0].search_param.iter().map(|param| param.name).collect();
        let selects_documents = |parameter: &&Parameter| parameter.declaration.is_some();
        let expected: Vec<_> = PARAMETERS
            .iter()
            .filter(selects_documents)
            .flat_map(|parameter| parameter.names)
            .copied()
            .collect();
        assert_eq!(declared, expected);
        assert!(declared.contains(&"_id") && !declared.contains(&"_count"));
    }
}
