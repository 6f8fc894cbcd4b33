//! `DocumentReference`, the FHIR resource that describes a document. The types contain only the
//! elements of FHIR R4 that docferry writes (<https://hl7.org/fhir/R4/documentreference.html>).

use docferry_domain::document::{Code, DocumentRecord};
use serde::Serialize;

use crate::BaseUrl;
use crate::query::{FILE_ID_SYSTEM, OBJECT_GUID_SYSTEM};

/// Maximum size that FHIR R4 can express, in bytes: `unsignedInt` has 31 bits
/// (<https://hl7.org/fhir/R4/datatypes.html#unsignedInt>).
const MAX_SIZE: u64 = (1 << 31) - 1;

/// `DocumentReference` of one document, as JSON.
#[derive(Serialize)]
#[serde(tag = "resourceType", rename_all = "camelCase")]
pub struct DocumentReference {
    id: String,
    identifier: Vec<Identifier>,
    status: &'static str,
    doc_status: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    category: Vec<CodeableConcept>,
    subject: Reference,
    date: String,
    description: String,
    content: [Content; 1],
}

/// Identifier with its system.
#[derive(Serialize)]
struct Identifier {
    system: String,
    value: String,
}

/// Code without a system.
#[derive(Serialize)]
struct CodeableConcept {
    coding: [Coding; 1],
}

#[derive(Serialize)]
struct Coding {
    code: String,
}

/// Reference to the subject by its identifier.
#[derive(Serialize)]
struct Reference {
    identifier: Identifier,
}

#[derive(Serialize)]
struct Content {
    attachment: Attachment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: String,
    url: String,
    /// Size in bytes. It is absent if the size exceeds [`MAX_SIZE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    title: String,
    creation: String,
}

impl DocumentReference {
    /// Creates the resource of a document. `base` is the public address of the API.
    #[must_use]
    pub fn new(base: &BaseUrl, record: &DocumentRecord) -> Self {
        // The pattern has no `..`. If the record gets a new field, this code does not compile until
        // the field is used or ignored here.
        let DocumentRecord {
            id,
            subject,
            file_id,
            obj_guid,
            file_name,
            content_type,
            size,
            created,
            indexed,
            type_code,
            category,
            doc_status,
            status,
            scan_result: _,
            withdrawn_at: _,
            groups: _,
        } = record;
        let identifier =
            |system: &str, value: String| Identifier { system: system.to_owned(), value };
        let number = file_id.map(|number| identifier(FILE_ID_SYSTEM, number.to_string()));
        let guid = identifier(OBJECT_GUID_SYSTEM, obj_guid.as_str().to_owned());
        let concept =
            |code: &Code| CodeableConcept { coding: [Coding { code: code.as_str().to_owned() }] };
        let name = file_name.as_str();
        Self {
            id: id.to_string(),
            identifier: number.into_iter().chain([guid]).collect(),
            status: status.as_str(),
            doc_status: doc_status.as_str(),
            type_concept: type_code.as_ref().map(concept),
            category: category.iter().map(concept).collect(),
            subject: Reference {
                identifier: identifier(subject.system(), subject.value().to_owned()),
            },
            date: indexed.to_string(),
            description: name.to_owned(),
            content: [Content {
                attachment: Attachment {
                    content_type: content_type.as_str().to_owned(),
                    url: format!("{}/$content", base.document(id)),
                    size: Some(*size).filter(|size| *size <= MAX_SIZE),
                    title: name.to_owned(),
                    creation: created.to_string(),
                },
            }],
        }
    }
}
