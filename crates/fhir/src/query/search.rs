//! [`SearchQuery`]: a validated search, and the rule that decides which documents it finds.
//!
//! A search finds documents of a *subject* (a court file or patient), or documents with given
//! *keys* (ids, numbers or GUIDs). *Filters* exclude some of these documents. The parser creates
//! the query. The HTTP handler reads documents from the store and asks the query which of them
//! match.

use std::fmt;

use docferry_domain::document::{DocStatus, DocumentKey, DocumentRecord, Position, Subject};

use super::filter::Filter;
use crate::DateRange;
use crate::parameter::{DateField, TokenField};

/// Order of the documents of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The document that was indexed last is the first.
    #[default]
    NewestFirst,
    /// The document that was indexed last is the last.
    OldestFirst,
}

/// Content of the response to a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Summary {
    /// Pages of documents.
    #[default]
    Documents,
    /// Only the number of matching documents.
    Count,
}

/// A validated search.
///
/// [`SearchQuery::matches`] defines which documents a search finds. The other functions help a
/// store to read fewer documents, and they never exclude a document that matches. `Debug` shows
/// only the names of the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct SearchQuery {
    pub(super) subject: Option<Subject>,
    /// Filters that a document must all pass.
    pub(super) filters: Vec<Filter>,
    /// Maximum number of documents on a page.
    pub(super) count: u16,
    pub(super) order: Order,
    pub(super) summary: Summary,
    pub(super) page_token: Option<String>,
    /// Names and values of the parameters that were not ignored, without the page token.
    pub(super) understood: Vec<(&'static str, String)>,
}

impl SearchQuery {
    /// Returns whether the search finds a document.
    ///
    /// A search never finds withdrawn and superseded documents. It finds documents that are not
    /// final only if it has the parameter `doc-status`.
    #[must_use]
    pub fn matches(&self, record: &DocumentRecord) -> bool {
        let is_of_subject = self.subject.as_ref().is_none_or(|subject| *subject == record.subject);
        let may_have_status = record.doc_status == DocStatus::Final || self.asks_for_doc_status();
        record.is_listed()
            && is_of_subject
            && may_have_status
            && self.filters.iter().all(|filter| filter.matches(record))
    }

    fn asks_for_doc_status(&self) -> bool {
        let mut filters = self.filters.iter();
        filters.any(|filter| matches!(filter, Filter::Token(TokenField::DocStatus, _)))
    }

    /// Returns the subject. A search without a subject has [`SearchQuery::keys`].
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Returns the keys of the documents to which the first `_id` or `identifier` restricts the
    /// search, at most 100. A document with one of these keys does not match if another filter
    /// excludes it.
    #[must_use]
    pub fn keys(&self) -> Option<&[DocumentKey]> {
        self.filters.iter().find_map(|filter| match filter {
            Filter::Key(keys) => Some(keys.as_slice()),
            _ => None,
        })
    }

    /// Returns the smallest range of time in which all matching documents were indexed.
    #[must_use]
    pub fn indexed_range(&self) -> DateRange {
        self.indexed_filters().fold(DateRange::ALL, |range, alternatives| {
            let hull = alternatives.iter().copied().reduce(DateRange::hull);
            range.intersection(hull.unwrap_or(DateRange::ALL))
        })
    }

    /// Returns the start (inclusive) and the end (exclusive) of the range of sort keys in which the
    /// matching documents of the subject lie. `None` means that the parameter `date` does not limit
    /// this side of the range.
    #[must_use]
    pub fn sort_key_range(&self) -> (Option<String>, Option<String>) {
        let range = self.indexed_range();
        (range.from.map(Position::time_key), range.until.map(Position::time_key))
    }

    /// Returns whether the search has no other filter than one [range of
    /// time](SearchQuery::indexed_range). If so, every listed, final document of the subject in
    /// this range matches.
    #[must_use]
    pub fn is_only_range(&self) -> bool {
        self.filters.iter().all(|filter| match filter {
            Filter::Date(DateField::Indexed, ranges) => ranges.len() == 1,
            _ => false,
        })
    }

    /// Returns the ranges of each filter by the time at which documents were indexed.
    fn indexed_filters(&self) -> impl Iterator<Item = &Vec<DateRange>> {
        self.filters.iter().filter_map(|filter| match filter {
            Filter::Date(DateField::Indexed, ranges) => Some(ranges),
            _ => None,
        })
    }

    /// Returns the maximum number of documents on a page.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Returns the order of the documents.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Returns whether the response contains documents or only their number.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Returns the page token; `None` for the first page.
    #[must_use]
    pub fn page_token(&self) -> Option<&str> {
        self.page_token.as_deref()
    }

    /// Returns the names and values of the parameters that were not ignored, without the page
    /// token. They are spelled as in the request.
    pub fn understood(&self) -> impl Iterator<Item = (&str, &str)> {
        self.understood.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Debug for SearchQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.understood.iter().map(|(name, _)| name);
        f.write_str("SearchQuery")?;
        f.debug_list().entries(names).finish()
    }
}
