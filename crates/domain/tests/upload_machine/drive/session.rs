//! Upload sessions on the simulated drive.

use std::ops::Range;

use docferry_domain::upload::{ExpectedRange, FragmentRange};

use super::file::Content;

/// An upload session: it collects the fragments of one document.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Number of bytes that are stored without a gap from the first byte on.
    pub(crate) stored_to: u64,
    /// Whether the session was neither closed, nor completed, nor has it expired.
    pub(crate) is_open: bool,
    /// Whether the drive refuses the upload URL, even while the session is open.
    pub(crate) refuses_url: bool,
    /// Range of bytes that are stored after a gap, if any.
    stored_after_gap: Option<Range<u64>>,
    /// Content of the stored bytes, if any were stored yet.
    content: Option<Content>,
}

impl Session {
    /// Returns an open session without a byte.
    pub(crate) const fn open() -> Self {
        Self {
            stored_to: 0,
            is_open: true,
            refuses_url: false,
            stored_after_gap: None,
            content: None,
        }
    }

    /// Returns whether the session accepts requests to its upload URL.
    pub(crate) const fn is_usable(&self) -> bool {
        self.is_open && !self.refuses_url
    }

    /// Returns the first range of missing bytes.
    pub(crate) fn expected_range(&self) -> ExpectedRange {
        let end = self.stored_after_gap.as_ref().map(|stored| stored.start);
        ExpectedRange { start: self.stored_to, end }
    }

    /// Returns whether the fragment starts at the first missing byte and contains no byte that
    /// is already stored.
    pub(crate) fn expects(&self, fragment: FragmentRange) -> bool {
        let expected = self.expected_range();
        fragment.start == expected.start && expected.end.is_none_or(|end| fragment.end <= end)
    }

    /// Stores this number of bytes after the bytes that are stored already. Returns the content
    /// of all stored bytes.
    pub(crate) fn append(&mut self, bytes: u64, version: u32) -> Content {
        let content = self.add_version(version);
        self.stored_to += bytes;
        if let Some(stored) = self.stored_after_gap.take_if(|stored| stored.start == self.stored_to)
        {
            self.stored_to = stored.end;
        }
        content
    }

    /// Stores only the second half of the fragment, which leaves a gap. Stores nothing if the
    /// half would not leave a gap, if there is a gap already, or if the fragment is the last one.
    pub(crate) fn store_second_half(&mut self, fragment: FragmentRange, version: u32) {
        let middle = fragment.start + fragment.len() / 2;
        let is_next = self.is_usable() && self.stored_to == fragment.start;
        let leaves_first_gap = middle > fragment.start && self.stored_after_gap.is_none();
        if is_next && leaves_first_gap && !fragment.is_last() {
            self.add_version(version);
            self.stored_after_gap = Some(middle..fragment.end);
        }
    }

    /// Loses all stored bytes.
    pub(crate) fn lose_stored_bytes(&mut self) {
        self.stored_to = 0;
        self.stored_after_gap = None;
    }

    /// Adds bytes of this version to the content, and returns the new content.
    fn add_version(&mut self, version: u32) -> Content {
        let added = Content::Version(version);
        let has_bytes = self.stored_to > 0 || self.stored_after_gap.is_some();
        let content = match self.content {
            Some(present) if has_bytes && present != added => Content::MixedVersions,
            Some(_) | None => added,
        };
        self.content = Some(content);
        content
    }
}
