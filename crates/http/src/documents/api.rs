//! Dependencies of the FHIR routes.

use docferry_app::job::{JobSettings, NewWork};
use docferry_app::ports::SearchAdapters;
use docferry_domain::document::SubjectPatterns;
use docferry_fhir::PageKey;

use super::public_url::PublicUrl;
use crate::api::TransferApi;

/// Dependencies and settings of the FHIR routes.
#[derive(Debug)]
pub struct SearchApi<P: SearchAdapters> {
    /// Dependencies that create transfers, for the content of documents.
    pub transfers: TransferApi<P>,
    /// Document registry.
    pub registry: P::Registry,
    /// Log of audit events.
    pub audit: P::Audit,
    /// Deadline and retention of the jobs that fetch the content of documents.
    pub settings: JobSettings,
    /// Systems of subject identifiers that a search may name.
    pub subjects: SubjectPatterns,
    /// Key by which the `next` links are sealed.
    pub page_key: PageKey,
    /// Address of the API in links.
    pub public_url: PublicUrl,
}

impl<P: SearchAdapters> SearchApi<P> {
    /// Returns whether jobs may be created.
    pub(super) fn new_work(&self) -> NewWork {
        match self.transfers.ensure_not_draining() {
            Ok(()) => NewWork::Accepted,
            Err(_) => NewWork::Refused,
        }
    }
}
