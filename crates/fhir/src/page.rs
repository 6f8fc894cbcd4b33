//! Pages of a search: how many documents are read, which are shown, and where the next page
//! begins.

use docferry_domain::document::{DocumentRecord, Position};

use crate::SearchQuery;

/// Maximum number of documents that are read for a page beyond those that fit on it.
pub const MAX_LOOKAHEAD: usize = 60;

/// A page of a search.
///
/// A page costs one read of the store, however few documents match. So a page may be short, or
/// even empty, and still have a next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The documents, in the order of the search.
    pub documents: Vec<DocumentRecord>,
    /// The position after which the next page begins; `None` for the last page. It may be that of
    /// a document that the caller may not see.
    pub next: Option<Position>,
}

impl Page {
    /// Returns the number of documents to read for a page. One beyond the page shows whether there
    /// is another page; more are read only if some of them may not be shown.
    #[must_use]
    pub fn read_limit(query: &SearchQuery, sees_all: bool) -> usize {
        let lookahead = if query.is_only_range() && sees_all { 1 } else { MAX_LOOKAHEAD };
        usize::from(query.count()) + lookahead
    }

    /// Selects the documents of a page from those that were read, which are in the order of the
    /// search. `more_after` is the position at which the store stopped reading, if there may be
    /// more.
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
