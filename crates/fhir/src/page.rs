//! Pages of a search. This module decides how many documents the store reads for a page, which of
//! them the page shows, and where the next page begins.

use docferry_domain::document::{DocumentRecord, Position};

use crate::SearchQuery;

/// Maximum number of documents that the store reads for a page in addition to the size of the page.
pub const MAX_LOOKAHEAD: usize = 60;

/// A page of a search.
///
/// The store is read only once for a page, even if few of the documents match. So a page may be
/// short, or even empty, although there is a next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The documents, in the order of the search.
    pub documents: Vec<DocumentRecord>,
    /// Position after which the next page begins; `None` for the last page. The document at this
    /// position may be one that the caller may not see.
    pub next: Option<Position>,
}

impl Page {
    /// Returns the number of documents to read for a page. `sees_all` is whether the caller may see
    /// all documents of the subject.
    ///
    /// If every document that is read will be shown, one additional document suffices to find out
    /// whether there is a next page.
    #[must_use]
    pub fn read_limit(query: &SearchQuery, sees_all: bool) -> usize {
        let lookahead = if query.is_only_range() && sees_all { 1 } else { MAX_LOOKAHEAD };
        usize::from(query.count()) + lookahead
    }

    /// Selects the documents of a page from the documents that were `read`. They are in the order
    /// of the search. `more_after` is the position at which the store stopped reading, or `None` if
    /// it has read all documents.
    #[must_use]
    pub fn select(
        query: &SearchQuery,
        read: Vec<DocumentRecord>,
        more_after: Option<Position>,
        is_visible: impl Fn(&DocumentRecord) -> bool,
    ) -> Self {
        let size = usize::from(query.count());
        let shown =
            read.into_iter().filter(|document| query.matches(document) && is_visible(document));
        let mut documents: Vec<_> = shown.take(size + 1).collect();
        if documents.len() <= size {
            return Self { documents, next: more_after };
        }
        documents.truncate(size);
        let next = documents.last().map(DocumentRecord::position);
        Self { documents, next }
    }
}
