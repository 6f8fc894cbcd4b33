//! Simulated drive of the model test. It stores no content, only numbers: how many bytes each
//! upload session has stored, and which files exist with which sizes.

use std::collections::BTreeMap;
use std::ops::Range;

use docferry_domain::upload::ConflictPolicy as Policy;
use docferry_domain::upload::{
    CandidateNames, DriveEvent, ExpectedRange, FragmentRange, Occupancy,
};

/// A visible file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) size: u64,
    /// Version of the source that the bytes are from. `None` for a foreign file, and for a file
    /// with bytes of two versions.
    pub(crate) source: Option<u32>,
    /// Whether the upload wrote the file.
    pub(crate) is_ours: bool,
}

/// An upload session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Number of bytes stored without a gap from the beginning.
    pub(crate) stored: u64,
    pub(crate) open: bool,
    /// Whether the upload URL is refused with 403 although the session is still open.
    pub(crate) refuses_url: bool,
    /// Range of stored bytes after a gap, if any.
    after_gap: Option<Range<u64>>,
    /// Version of the source that all stored bytes are from.
    source: Option<u32>,
}

impl Session {
    fn is_usable(&self) -> bool {
        self.open && !self.refuses_url
    }

    /// Records that bytes of this version of the source are stored.
    fn record_source(&mut self, source: u32) {
        let is_first = self.stored == 0 && self.after_gap.is_none();
        self.source = if is_first || self.source == Some(source) { Some(source) } else { None };
    }

    /// Returns the first range of missing bytes.
    fn expected_range(&self) -> ExpectedRange {
        let end = self.after_gap.as_ref().map(|range| range.start);
        ExpectedRange { start: self.stored, end }
    }

    /// Loses the bytes that the session had acknowledged.
    pub(crate) fn lose_stored_bytes(&mut self) {
        self.stored = 0;
        self.after_gap = None;
    }
}

/// A fragment as the drive receives and stores it.
pub(crate) struct SentFragment {
    pub(crate) range: FragmentRange,
    /// Number of bytes at the beginning of the fragment that are stored.
    pub(crate) stored_bytes: u64,
    /// Whether the drive completes the file at once, one byte shorter than the document.
    pub(crate) is_one_byte_short: bool,
    /// Version of the source that the bytes are from.
    pub(crate) source: u32,
}

/// The drive: its files and the upload sessions for one path.
#[derive(Debug, Default)]
pub(crate) struct Drive {
    /// Files by the number in their names; 0 is the document's own name.
    pub(crate) files: BTreeMap<u32, File>,
    pub(crate) sessions: Vec<Session>,
    /// Number of bytes in all requests.
    pub(crate) received: u64,
    /// Number of times that bytes of the upload became a file.
    pub(crate) completions: u32,
    /// Number of waits during which another session or an editor holds the path.
    pub(crate) held_waits: u32,
}

impl Drive {
    /// Opens a session and returns its index, or `None` because of a conflict.
    pub(crate) fn open(&mut self, policy: Policy) -> Option<usize> {
        let is_taken = policy == Policy::Fail && self.files.contains_key(&0);
        // Under every policy, at most one session for a path can be open.
        if is_taken || self.held_waits > 0 || self.sessions.iter().any(|session| session.open) {
            return None;
        }
        self.sessions.push(Session {
            stored: 0,
            open: true,
            refuses_url: false,
            after_gap: None,
            source: None,
        });
        Some(self.sessions.len() - 1)
    }

    pub(crate) fn query(&self, session: usize) -> DriveEvent {
        let session = &self.sessions[session];
        if session.is_usable() {
            DriveEvent::Expects(Some(session.expected_range()))
        } else {
            DriveEvent::Gone
        }
    }

    pub(crate) fn close(&mut self, session: usize) -> DriveEvent {
        let session = &mut self.sessions[session];
        let was_open = session.is_usable();
        // A refused URL cannot close the session.
        session.open &= session.refuses_url;
        DriveEvent::Closed { was_open }
    }

    /// Stores only the second half of the fragment, if the session allows it.
    pub(crate) fn store_second_half(&mut self, session: usize, range: FragmentRange, source: u32) {
        self.received += range.len();
        let session = &mut self.sessions[session];
        let middle = range.start + range.len() / 2;
        let fits =
            session.is_usable() && session.stored == range.start && session.after_gap.is_none();
        if fits && middle > range.start && !range.is_last() {
            session.record_source(source);
            session.after_gap = Some(middle..range.end);
        }
    }

    /// Stores a fragment, and completes the file when all bytes are stored.
    pub(crate) fn send(
        &mut self,
        session: usize,
        fragment: &SentFragment,
        policy: Policy,
    ) -> DriveEvent {
        let &SentFragment { range, stored_bytes, is_one_byte_short, source } = fragment;
        self.received += range.len();
        let session = &mut self.sessions[session];
        if !session.is_usable() {
            return DriveEvent::Gone;
        }
        let overlaps = session.after_gap.as_ref().is_some_and(|stored| range.end > stored.start);
        if session.stored != range.start || overlaps {
            return DriveEvent::Mismatch;
        }
        session.record_source(source);
        session.stored += stored_bytes;
        if let Some(after_gap) = session.after_gap.take_if(|stored| session.stored == stored.start)
        {
            session.stored = after_gap.end;
        }
        if session.stored < range.total && !is_one_byte_short {
            return DriveEvent::Accepted {
                next: Some(session.expected_range()),
                took: std::time::Duration::ZERO,
            };
        }
        let size = range.total - u64::from(is_one_byte_short);
        let file = File { size, source: session.source, is_ours: true };
        if policy == Policy::Fail && self.files.contains_key(&0) {
            return DriveEvent::Conflict;
        }
        session.open = false;
        let number = if policy == Policy::Rename { self.first_free_number() } else { 0 };
        self.place(number, file)
    }

    /// Stores a small document under the name with this number.
    pub(crate) fn put(
        &mut self,
        number: u32,
        size: u64,
        source: u32,
        policy: Policy,
    ) -> DriveEvent {
        self.received += size;
        if policy != Policy::Replace && self.files.contains_key(&number) {
            return DriveEvent::Conflict;
        }
        self.place(number, File { size, source: Some(source), is_ours: true })
    }

    /// Makes a file visible.
    fn place(&mut self, number: u32, file: File) -> DriveEvent {
        self.completions += 1;
        self.files.insert(number, file);
        DriveEvent::Complete
    }

    fn first_free_number(&self) -> u32 {
        (0..).find(|number| !self.files.contains_key(number)).unwrap()
    }

    /// Returns the files of the document's size that a lookup finds, and the result of the
    /// lookup.
    pub(crate) fn look_up(&self, names: CandidateNames, total: u64) -> (Vec<File>, Occupancy) {
        let found: Vec<File> = match names {
            CandidateNames::One(number) => self.files.get(&number).copied().into_iter().collect(),
            CandidateNames::All => {
                (0..self.first_free_number()).map(|number| self.files[&number]).collect()
            }
        };
        let same_size: Vec<File> =
            found.iter().copied().filter(|file| file.size == total).collect();
        let occupancy = if found.is_empty() {
            Occupancy::Nothing
        } else if same_size.is_empty() {
            Occupancy::Other
        } else {
            Occupancy::SameSize
        };
        (same_size, occupancy)
    }
}
