//! Simulated drive, reduced to numbers: the bytes that each session has stored, and the
//! visible files.

use std::collections::BTreeMap;

use docferry_domain::upload::ConflictPolicy as Policy;
use docferry_domain::upload::{
    CandidateNames, DriveEvent, ExpectedRange, FragmentRange, Occupancy,
};

/// A visible file. `source` is the version of the source that its bytes are from. It is
/// `None` for a foreign file, and for a file with bytes of two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) size: u64,
    pub(crate) source: Option<u32>,
    pub(crate) ours: bool,
}

/// An upload session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) stored: u64,
    pub(crate) open: bool,
    /// Whether its URL is refused with 403 although it is open until it expires.
    pub(crate) shut: bool,
    /// Range of stored bytes after a gap.
    island: Option<(u64, u64)>,
    source: Option<u32>,
}

impl Session {
    fn usable(&self) -> bool {
        self.open && !self.shut
    }

    /// Records that bytes of this version of the source are stored.
    fn note_source(&mut self, source: u32) {
        let is_first = self.stored == 0 && self.island.is_none();
        self.source = if is_first || self.source == Some(source) { Some(source) } else { None };
    }

    fn gap(&self) -> ExpectedRange {
        ExpectedRange { start: self.stored, end: self.island.map(|(start, _)| start) }
    }

    /// Loses the bytes that it had acknowledged.
    pub(crate) fn forget(&mut self) {
        self.stored = 0;
        self.island = None;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Drive {
    pub(crate) files: BTreeMap<u32, File>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) received: u64,
    /// Number of times that bytes of the upload became a file.
    pub(crate) completions: u32,
    /// Number of waits during which another session or an editor holds the path.
    pub(crate) held: u32,
}

impl Drive {
    pub(crate) fn open(&mut self, policy: Policy) -> Option<usize> {
        let is_taken = policy == Policy::Fail && self.files.contains_key(&0);
        // Under every policy there is at most one session for a path.
        if is_taken || self.held > 0 || self.sessions.iter().any(|session| session.open) {
            return None;
        }
        self.sessions.push(Session {
            stored: 0,
            open: true,
            shut: false,
            island: None,
            source: None,
        });
        Some(self.sessions.len() - 1)
    }

    pub(crate) fn ask(&self, session: usize) -> DriveEvent {
        let session = &self.sessions[session];
        if session.usable() { DriveEvent::Expects(Some(session.gap())) } else { DriveEvent::Gone }
    }

    pub(crate) fn close(&mut self, session: usize) -> DriveEvent {
        let session = &mut self.sessions[session];
        let was_open = session.usable();
        session.open &= session.shut;
        DriveEvent::Closed { was_open }
    }

    /// Stores the second half of the fragment and not the first.
    pub(crate) fn store_island(&mut self, session: usize, range: FragmentRange, source: u32) {
        self.received += range.len();
        let session = &mut self.sessions[session];
        let middle = range.start + range.len() / 2;
        let fits = session.usable() && session.stored == range.start && session.island.is_none();
        if fits && middle > range.start && !range.is_last() {
            session.note_source(source);
            session.island = Some((middle, range.end));
        }
    }

    /// Stores the first `kept` bytes of the fragment. With `wrong`, the file completes at
    /// once and is one byte short.
    pub(crate) fn send(
        &mut self,
        session: usize,
        range: FragmentRange,
        kept: u64,
        wrong: bool,
        source: u32,
        policy: Policy,
    ) -> DriveEvent {
        self.received += range.len();
        let session = &mut self.sessions[session];
        if !session.usable() {
            return DriveEvent::Gone;
        }
        let overlaps = session.island.is_some_and(|(start, _)| range.end > start);
        if session.stored != range.start || overlaps {
            return DriveEvent::Mismatch;
        }
        session.note_source(source);
        session.stored += kept;
        if let Some((start, end)) = session.island
            && session.stored == start
        {
            session.stored = end;
            session.island = None;
        }
        if session.stored < range.total && !wrong {
            return DriveEvent::Accepted {
                next: Some(session.gap()),
                took: std::time::Duration::ZERO,
            };
        }
        let file =
            File { size: range.total - u64::from(wrong), source: session.source, ours: true };
        let taken = self.files.contains_key(&0);
        if policy == Policy::Fail && taken {
            return DriveEvent::Conflict;
        }
        session.open = false;
        let number = if policy == Policy::Rename { self.first_free_number() } else { 0 };
        self.place(number, file)
    }

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
        self.place(number, File { size, source: Some(source), ours: true })
    }

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
        let shown: Vec<File> = match names {
            CandidateNames::One(number) => self.files.get(&number).copied().into_iter().collect(),
            CandidateNames::All => {
                (0..self.first_free_number()).map(|number| self.files[&number]).collect()
            }
        };
        let same: Vec<File> = shown.iter().copied().filter(|file| file.size == total).collect();
        let seen = match (shown.is_empty(), same.is_empty()) {
            (true, _) => Occupancy::Nothing,
            (_, true) => Occupancy::Other,
            _ => Occupancy::SameSize,
        };
        (same, seen)
    }
}
