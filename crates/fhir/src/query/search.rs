//! Searches: what a caller asks for, and which documents match.

use std::fmt;

use docferry_domain::document::{DocStatus, DocumentKey, DocumentRecord, Position, Subject};

use super::filter::Filter;
use crate::DateRange;
use crate::parameter::{DateField, TokenField};

/// Order of the documents of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By the time at which they were indexed, newest first.
    #[default]
    NewestFirst,
    /// By the time at which they were indexed, oldest first.
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
/// [`SearchQuery::matches`] is its meaning. The other functions let a store read fewer documents;
/// they never exclude one that matches. `Debug` shows the names of the parameters only.
#[derive(Clone, PartialEq, Eq)]
pub struct SearchQuery {
    pub(super) subject: Option<Subject>,
    pub(super) filters: Vec<Filter>,
    pub(super) count: u16,
    pub(super) order: Order,
    pub(super) summary: Summary,
    pub(super) page_token: Option<String>,
    pub(super) understood: Vec<(&'static str, String)>,
}

impl SearchQuery {
    /// Returns whether the search finds a document. Withdrawn and superseded documents are never
    /// found, preliminary ones only by `doc-status`.
    #[must_use]
    pub fn matches(&self, record: &DocumentRecord) -> bool {
        let is_subject = self.subject.as_ref().is_none_or(|subject| *subject == record.subject);
        let is_complete = record.doc_status == DocStatus::Final || self.asks_for_doc_status();
        record.is_listed()
            && is_subject
            && is_complete
            && self.filters.iter().all(|filter| filter.matches(record))
    }

    pub(super) fn asks_for_doc_status(&self) -> bool {
        let mut filters = self.filters.iter();
        filters.any(|filter| matches!(filter, Filter::Token(TokenField::DocStatus, _)))
    }

    /// Returns the subject; without one, [`SearchQuery::keys`] names the documents.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Returns the documents to which `_id` or `identifier` restricts the search, at most 100 of
    /// each alternative. Not each of them matches.
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
        self.indexed_filters().fold(DateRange::ALL, |all, ranges| {
            let hull = ranges.iter().copied().reduce(DateRange::hull);
            all.intersection(hull.unwrap_or(DateRange::ALL))
        })
    }

    /// Returns the sort keys between which the matching documents of the subject lie, as far as
    /// `date` bounds them: the first inclusive, the second exclusive.
    #[must_use]
    pub fn sort_key_range(&self) -> (Option<String>, Option<String>) {
        let range = self.indexed_range();
        (range.from.map(Position::time_key), range.until.map(Position::time_key))
    }

    /// Returns whether each listed, final document of the subject in the
    /// [range of time](SearchQuery::indexed_range) matches.
    #[must_use]
    pub fn is_only_range(&self) -> bool {
        let is_range = |filter: &Filter| matches!(filter, Filter::Date(DateField::Indexed, ranges) if ranges.len() == 1);
        self.filters.iter().all(is_range)
    }

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

    /// Returns what the search returns.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Returns the page token; `None` for the first page.
    #[must_use]
    pub fn page_token(&self) -> Option<&str> {
        self.page_token.as_deref()
    }

    /// Returns the parameters that were understood, without the page token, as the caller spelled
    /// them.
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
