//! Access to documents: which documents of the registry a caller may see and receive.
//!
//! The *registry* is docferry's table of documents. A *subject* is the court file or patient that a
//! document concerns. A *grant* is a stored right of a person to see the documents of a subject.
//!
//! The routes of the downloads API and of the search decide with [`Viewer::may_see`]. The steps of
//! a transfer check only withdrawals. The route `POST /document/upload` checks nothing itself,
//! because only services call it.
//!
//! To a caller who may not see a document, the document does not exist. The number of calls to the
//! registry depends on the caller and on the number of documents. It never depends on whether a
//! document exists or is visible.

pub mod feed;

use std::collections::BTreeMap;

use docferry_domain::document::{DocumentKey, DocumentRecord, Grant, Subject, Viewer};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::ObjectGuid;
use docferry_domain::person::Person;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use crate::TaskError;
use crate::ports::{Registry, StoreError};

/// Caller whose rights decide which documents are visible.
#[derive(Debug, Clone)]
pub struct DocumentCaller {
    /// The person to whom grants are given.
    pub person: Person,
    /// Rights from the access token.
    pub viewer: Viewer,
}

impl DocumentCaller {
    /// Returns whether the caller may receive documents that are not registered. This needs the
    /// right to see all documents, which services have. They also request documents by GUID.
    #[must_use]
    pub const fn may_see_unregistered(&self) -> bool {
        matches!(self.viewer, Viewer::Unrestricted)
    }

    /// Returns the grants of the caller. A caller who may see all documents needs none.
    ///
    /// # Errors
    /// The errors of the registry.
    pub async fn grants(&self, registry: &impl Registry) -> Result<Vec<Grant>, StoreError> {
        match self.viewer {
            Viewer::Unrestricted => Ok(Vec::new()),
            Viewer::Restricted { .. } => registry.grants(&self.person).await,
        }
    }
}

/// Access of a caller to a registered document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The caller may see the document.
    Visible(Box<DocumentRecord>),
    /// The caller is not entitled to see the document, or it is withdrawn. To the caller, it does
    /// not exist.
    Hidden,
}

/// Returns the caller's access to the documents with these keys. Documents that are not registered
/// are missing from the result.
///
/// # Errors
/// The errors of the registry.
pub async fn registered_documents(
    registry: &impl Registry,
    caller: &DocumentCaller,
    keys: &[DocumentKey],
    now: Timestamp,
) -> Result<BTreeMap<DocumentKey, Access>, StoreError> {
    let (grants, documents) =
        futures::try_join!(caller.grants(registry), registry.documents(keys))?;
    let access_to = |record: DocumentRecord| match caller.viewer.may_see(&record, &grants, now) {
        true => Access::Visible(Box::new(record)),
        false => Access::Hidden,
    };
    Ok(documents.into_iter().map(|(key, record)| (key, access_to(record))).collect())
}

/// Returns a registered document, if the caller may see it.
///
/// # Errors
/// The errors of the registry.
pub async fn visible_document(
    registry: &impl Registry,
    caller: &DocumentCaller,
    key: &DocumentKey,
    now: Timestamp,
) -> Result<Option<Box<DocumentRecord>>, StoreError> {
    let keys = std::slice::from_ref(key);
    match registered_documents(registry, caller, keys, now).await?.remove(key) {
        Some(Access::Visible(record)) => Ok(Some(record)),
        Some(Access::Hidden) | None => Ok(None),
    }
}

/// Returns the subject of a document, if it is registered.
///
/// # Errors
/// The errors of the registry.
pub async fn subject_of(
    registry: &impl Registry,
    guid: &ObjectGuid,
) -> Result<Option<Subject>, StoreError> {
    let key = DocumentKey::Object(guid.clone());
    let record = registry.documents(std::slice::from_ref(&key)).await?.remove(&key);
    Ok(record.map(|record| record.subject))
}

/// Returns whether the document was withdrawn. A document that is not registered cannot be
/// withdrawn.
///
/// # Errors
/// The errors of the registry.
pub(crate) async fn is_withdrawn(
    registry: &impl Registry,
    transfer: &Transfer,
) -> Result<bool, StoreError> {
    let key = document_key(transfer);
    let record = registry.documents(std::slice::from_ref(&key)).await?.remove(&key);
    Ok(record.is_some_and(|record| record.withdrawn_at.is_some()))
}

/// Fails if the document was withdrawn.
///
/// # Errors
/// [`FailureCode::DocumentWithdrawn`], or the error of the registry.
pub(crate) async fn ensure_not_withdrawn(
    registry: &impl Registry,
    transfer: &Transfer,
) -> Result<(), TaskError> {
    if is_withdrawn(registry, transfer).await? {
        return Err(FailureCode::DocumentWithdrawn.into());
    }
    Ok(())
}

/// Documents of a job, with the caller's present access to each.
#[derive(Debug)]
pub struct JobDocuments {
    registered: BTreeMap<DocumentKey, Access>,
    may_see_unregistered: bool,
}

impl JobDocuments {
    /// Asks the registry about the documents of a job.
    ///
    /// # Errors
    /// The errors of the registry.
    pub async fn of<'a>(
        registry: &impl Registry,
        caller: &DocumentCaller,
        transfers: impl IntoIterator<Item = &'a Transfer>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let keys: Vec<_> = transfers.into_iter().map(document_key).collect();
        let registered = registered_documents(registry, caller, &keys, now).await?;
        Ok(Self { registered, may_see_unregistered: caller.may_see_unregistered() })
    }

    /// Returns whether the caller may receive the document of a transfer.
    #[must_use]
    pub fn may_receive(&self, transfer: &Transfer) -> bool {
        match self.registered.get(&document_key(transfer)) {
            Some(Access::Visible(_)) => true,
            Some(Access::Hidden) => false,
            None => self.may_see_unregistered,
        }
    }

    /// Returns the keys of the documents that the caller may not receive.
    #[must_use]
    pub fn hidden<'a>(
        &self,
        transfers: impl IntoIterator<Item = &'a Transfer>,
    ) -> Vec<DocumentKey> {
        let is_hidden = |transfer: &&Transfer| !self.may_receive(transfer);
        transfers.into_iter().filter(is_hidden).map(document_key).collect()
    }
}

/// Returns the key by which the registry finds the document of a transfer.
fn document_key(transfer: &Transfer) -> DocumentKey {
    DocumentKey::Object(transfer.object_guid.clone())
}
