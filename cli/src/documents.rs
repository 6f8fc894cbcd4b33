//! The client's search for documents by their subject, a court file or a patient.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::Client;
use crate::error::ClientError;

/// A document that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundDocument {
    /// Id in the document registry.
    pub id: String,
    /// Number by which `docferry get` requests the document, if it has one.
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
    /// Token of the next page; `None` for the last page.
    pub next_page_token: Option<String>,
}

/// System of document numbers in a resource.
const FILE_ID_SYSTEM: &str = "urn:docferry:file-id";

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

#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    identifier: Vec<Identifier>,
    date: Option<String>,
    #[serde(default)]
    content: Vec<Content>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    attachment: Attachment,
}

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
        let next = link.iter().find(|link| link.relation == "next");
        Ok(DocumentPage {
            documents: entry.into_iter().map(|entry| entry.resource.into()).collect(),
            next_page_token: next.and_then(|link| page_token_in(&link.url)),
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
        let number = |identifier: &Identifier| {
            let is_number = identifier.system.as_deref() == Some(FILE_ID_SYSTEM);
            identifier.value.as_ref().filter(|_| is_number)?.parse().ok()
        };
        let content = resource.content.into_iter().next();
        let Attachment { content_type, size, title } =
            content.map(|content| content.attachment).unwrap_or_default();
        Self {
            id: resource.id,
            file_id: resource.identifier.iter().find_map(number),
            name: title,
            content_type,
            size,
            date: resource.date,
        }
    }
}
