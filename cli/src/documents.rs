//! The client's search for documents by their subject, a court file or a patient.
//!
//! The service responds with a FHIR search set, whose entries are `DocumentReference` resources.
//! The private types are the members of these resources that the client reads. [`FoundDocument`] is
//! the flat form that the client returns.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::Client;
use crate::error::ClientError;

/// System of the identifiers that are document numbers.
const FILE_ID_SYSTEM: &str = "urn:docferry:file-id";
/// Relation of the link to the next page.
const NEXT_PAGE: &str = "next";

/// A document that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundDocument {
    /// Id in the document registry.
    pub id: String,
    /// Number by which `docferry get` requests the document, if the document has a number.
    pub file_id: Option<u64>,
    /// File name.
    pub name: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Size in bytes, if the service states it.
    pub size: Option<u64>,
    /// Time at which the document was indexed, ISO 8601.
    pub date: Option<String>,
}

/// A page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPage {
    /// The documents, newest first. A page may be empty although another one follows.
    pub documents: Vec<FoundDocument>,
    /// Token of the next page, or `None` on the last page.
    pub next_page_token: Option<String>,
}

/// FHIR search set: one page of the result of a search.
#[derive(Deserialize)]
struct SearchSet {
    #[serde(default)]
    link: Vec<Link>,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Link {
    relation: String,
    url: String,
}

#[derive(Deserialize)]
struct Entry {
    resource: Resource,
}

/// `DocumentReference` resource.
#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    identifier: Vec<Identifier>,
    date: Option<String>,
    #[serde(default)]
    content: Vec<Content>,
}

/// An identifier of the document, such as its number, in a system of identifiers.
#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    attachment: Attachment,
}

/// The document's file.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: Option<String>,
    size: Option<u64>,
    title: Option<String>,
}

impl Client {
    /// Returns a page of the documents of a subject, newest first. `subject` is `[system|]value`.
    /// `page_token` is [`DocumentPage::next_page_token`] of the previous page, or `None` for the
    /// first page.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn documents(
        &self,
        subject: &str,
        page_size: usize,
        page_token: Option<&str>,
    ) -> Result<DocumentPage, ClientError> {
        let request = self.request(Method::GET, &["DocumentReference"])?;
        let count = page_size.to_string();
        let parameters = [("subject.identifier", Some(subject)), ("_count", Some(&*count))];
        let request = request.query(&parameters).query(&[("_page", page_token)]);
        let SearchSet { link, entry } = self.request_document(request).await?;
        let next_page = link.iter().find(|link| link.relation == NEXT_PAGE);
        Ok(DocumentPage {
            documents: entry.into_iter().map(|entry| entry.resource.into()).collect(),
            next_page_token: next_page.and_then(|link| page_token_in(&link.url)),
        })
    }
}

/// Returns the page token in a link. Only the token is used, so that credentials are never sent to
/// another address.
fn page_token_in(link: &str) -> Option<String> {
    let url: Url = link.parse().ok()?;
    url.query_pairs().find(|(name, _)| name == "_page").map(|(_, token)| token.into_owned())
}

impl From<Resource> for FoundDocument {
    fn from(resource: Resource) -> Self {
        let parse_file_id = |identifier: &Identifier| {
            let is_file_id = identifier.system.as_deref() == Some(FILE_ID_SYSTEM);
            identifier.value.as_ref().filter(|_| is_file_id)?.parse().ok()
        };
        let first_content = resource.content.into_iter().next();
        let Attachment { content_type, size, title } =
            first_content.map(|content| content.attachment).unwrap_or_default();
        Self {
            id: resource.id,
            file_id: resource.identifier.iter().find_map(parse_file_id),
            name: title,
            content_type,
            size,
            date: resource.date,
        }
    }
}
