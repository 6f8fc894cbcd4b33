//! Simulated drive. It stores no bytes, only numbers: how many bytes each upload session has
//! stored, and which files exist with which sizes.

mod file;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use docferry_domain::upload::ConflictPolicy as Policy;
use docferry_domain::upload::{CandidateNames, DriveEvent, FragmentRange, Occupancy};

pub(crate) use file::{Content, File};
use session::Session;

/// Way in which the drive stores the bytes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storing {
    /// It stores all bytes.
    All,
    /// It stores only this percentage of a fragment, and nothing of a PUT.
    FirstPercent(u64),
    /// It completes the file at once. The file is one byte shorter than the document after a
    /// fragment, and one byte longer after a PUT.
    WrongSize,
}

/// A fragment that the drive receives.
pub(crate) struct ReceivedFragment {
    pub(crate) range: FragmentRange,
    /// Version of the source that the bytes are from.
    pub(crate) version: u32,
    pub(crate) storing: Storing,
}

/// The drive: its files, and the upload sessions for the path of the document.
#[derive(Debug)]
pub(crate) struct Drive {
    /// Rule for the case that a file with the document's name exists.
    policy: Policy,
    /// Files by the number in their names. Number 0 is the document's own name.
    pub(crate) files: BTreeMap<u32, File>,
    /// All sessions that were ever opened. A session is identified by its index.
    pub(crate) sessions: Vec<Session>,
    /// Number of bytes in all fragments and PUTs that the drive has received.
    pub(crate) received_bytes: u64,
    /// Number of times that the upload has written a file.
    pub(crate) written_files: u32,
    /// Number of waits until the path is free. Until then, another session or an editor holds
    /// the path, and no session can be opened.
    pub(crate) waits_until_path_is_free: u32,
}

impl Drive {
    /// Returns an empty drive.
    pub(crate) const fn new(policy: Policy) -> Self {
        Self {
            policy,
            files: BTreeMap::new(),
            sessions: Vec::new(),
            received_bytes: 0,
            written_files: 0,
            waits_until_path_is_free: 0,
        }
    }

    /// Opens a session, unless there is a conflict.
    pub(crate) fn open_session(&mut self) -> DriveEvent {
        let is_path_held = self.waits_until_path_is_free > 0;
        // Under every policy, at most one session for a path can be open.
        let has_open_session = self.sessions.iter().any(|session| session.is_open);
        if self.is_name_forbidden() || is_path_held || has_open_session {
            return DriveEvent::Conflict;
        }
        self.sessions.push(Session::open());
        DriveEvent::Opened
    }

    /// Returns the session that was opened last, if any.
    pub(crate) fn newest_session(&self) -> Option<usize> {
        self.sessions.len().checked_sub(1)
    }

    /// Returns the status of a session.
    pub(crate) fn query_session(&self, session: usize) -> DriveEvent {
        let session = &self.sessions[session];
        if session.is_usable() {
            DriveEvent::Expects(Some(session.expected_range()))
        } else {
            DriveEvent::Gone
        }
    }

    /// Closes a session, unless the drive refuses its upload URL.
    pub(crate) fn close_session(&mut self, session: usize) -> DriveEvent {
        let session = &mut self.sessions[session];
        let was_open = session.is_usable();
        if was_open {
            session.is_open = false;
        }
        DriveEvent::Closed { was_open }
    }

    /// Stores only the second half of the fragment.
    pub(crate) fn store_second_half(&mut self, session: usize, range: FragmentRange, version: u32) {
        self.received_bytes += range.len();
        self.sessions[session].store_second_half(range, version);
    }

    /// Stores a fragment, and completes the file when all bytes are stored.
    pub(crate) fn store_fragment(
        &mut self,
        session: usize,
        fragment: &ReceivedFragment,
    ) -> DriveEvent {
        let range = fragment.range;
        self.received_bytes += range.len();
        let is_name_forbidden = self.is_name_forbidden();
        let session = &mut self.sessions[session];
        if !session.is_usable() {
            return DriveEvent::Gone;
        }
        if !session.expects(range) {
            return DriveEvent::Mismatch;
        }
        let (stored_bytes, size_if_complete) = match fragment.storing {
            Storing::All => (range.len(), range.total),
            Storing::FirstPercent(percent) => (range.len() * percent / 100, range.total),
            Storing::WrongSize => (range.len(), range.total - 1),
        };
        let content = session.append(stored_bytes, fragment.version);
        let is_complete =
            session.stored_to >= range.total || fragment.storing == Storing::WrongSize;
        if !is_complete {
            let next = Some(session.expected_range());
            return DriveEvent::Accepted { next, took: Duration::ZERO };
        }
        if is_name_forbidden {
            return DriveEvent::Conflict;
        }
        session.is_open = false;
        let number = match self.policy {
            Policy::Rename => self.first_free_number(),
            Policy::Replace | Policy::Fail => 0,
        };
        self.write_file(number, File { size: size_if_complete, content })
    }

    /// Stores a small document under the name with this number.
    ///
    /// A taken name is a conflict also under the policy `rename`: the upload then tries the next
    /// number itself.
    pub(crate) fn put_file(&mut self, number: u32, file: File) -> DriveEvent {
        self.received_bytes += file.size;
        if self.policy != Policy::Replace && self.files.contains_key(&number) {
            return DriveEvent::Conflict;
        }
        self.write_file(number, file)
    }

    /// Looks up the files under these names.
    pub(crate) fn files_under(&self, names: CandidateNames) -> Vec<File> {
        match names {
            CandidateNames::One(number) => self.files.get(&number).copied().into_iter().collect(),
            CandidateNames::All => {
                (0..self.first_free_number()).map(|number| self.files[&number]).collect()
            }
        }
    }

    /// Returns whether the policy forbids to write the document because its own name is taken.
    fn is_name_forbidden(&self) -> bool {
        self.policy == Policy::Fail && self.files.contains_key(&0)
    }

    fn first_free_number(&self) -> u32 {
        (0..).find(|number| !self.files.contains_key(number)).unwrap()
    }

    fn write_file(&mut self, number: u32, file: File) -> DriveEvent {
        self.written_files += 1;
        self.files.insert(number, file);
        DriveEvent::Complete
    }
}

/// Returns the result of a lookup that found these files.
pub(crate) fn occupancy(found: &[File], document_size: u64) -> Occupancy {
    if found.is_empty() {
        Occupancy::Nothing
    } else if found.iter().any(|file| file.size == document_size) {
        Occupancy::SameSize
    } else {
        Occupancy::Other
    }
}
