//! A drive of numbers: what a session has stored, and which files are visible.

use std::collections::BTreeMap;

use docferry_domain::{Answer, FragmentRange, Names, Seen};

/// What a deployment does when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Replace,
    Rename,
    Fail,
}

/// A visible file. `source` is the version of the source that its bytes are of;
/// `None` for somebody else's file, and for one whose bytes are of two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) size: u64,
    pub(crate) source: Option<u32>,
    pub(crate) ours: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) stored: u64,
    pub(crate) open: bool,
    source: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Drive {
    pub(crate) files: BTreeMap<u32, File>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) received: u64,
    /// Times that bytes of ours became a file.
    pub(crate) completions: u32,
}

impl Drive {
    pub(crate) fn open(&mut self, policy: Policy) -> Option<usize> {
        let blocked = self.files.contains_key(&0) || self.sessions.iter().any(|s| s.open);
        if policy == Policy::Fail && blocked {
            return None;
        }
        self.sessions.push(Session { stored: 0, open: true, source: None });
        Some(self.sessions.len() - 1)
    }

    pub(crate) fn ask(&self, session: usize) -> Answer {
        let session = &self.sessions[session];
        if session.open { Answer::Stands(Some(session.stored)) } else { Answer::Gone }
    }

    pub(crate) fn close(&mut self, session: usize) -> Answer {
        let was_open = std::mem::replace(&mut self.sessions[session].open, false);
        Answer::Closed { was_open }
    }

    /// Stores the first `kept` bytes of the fragment. `wrong`: completes at once,
    /// one byte short.
    pub(crate) fn send(
        &mut self,
        session: usize,
        range: FragmentRange,
        kept: u64,
        wrong: bool,
        source: u32,
        policy: Policy,
    ) -> Answer {
        self.received += range.len();
        let session = &mut self.sessions[session];
        if !session.open {
            return Answer::Gone;
        }
        if session.stored != range.start {
            return Answer::Mismatch;
        }
        if session.stored == 0 {
            session.source = Some(source);
        } else if session.source != Some(source) {
            session.source = None;
        }
        session.stored += kept;
        if session.stored < range.total && !wrong {
            return Answer::Accepted {
                next: Some(session.stored),
                took: std::time::Duration::ZERO,
            };
        }
        let file =
            File { size: range.total - u64::from(wrong), source: session.source, ours: true };
        let taken = self.files.contains_key(&0);
        if policy == Policy::Fail && taken {
            return Answer::Conflict;
        }
        session.open = false;
        let number = if policy == Policy::Rename { self.free() } else { 0 };
        self.place(number, file)
    }

    pub(crate) fn put(&mut self, number: u32, size: u64, source: u32, policy: Policy) -> Answer {
        self.received += size;
        if policy != Policy::Replace && self.files.contains_key(&number) {
            return Answer::Conflict;
        }
        self.place(number, File { size, source: Some(source), ours: true })
    }

    fn place(&mut self, number: u32, file: File) -> Answer {
        self.completions += 1;
        self.files.insert(number, file);
        Answer::Complete
    }

    fn free(&self) -> u32 {
        (0..).find(|number| !self.files.contains_key(number)).unwrap()
    }

    /// The files that a look shows, and what it says of them.
    pub(crate) fn look(&self, names: Names, total: u64) -> (Vec<File>, Seen) {
        let shown: Vec<File> = match names {
            Names::One(number) => self.files.get(&number).copied().into_iter().collect(),
            Names::All => (0..self.free()).map(|number| self.files[&number]).collect(),
        };
        let same: Vec<File> = shown.iter().copied().filter(|file| file.size == total).collect();
        let seen = match (shown.is_empty(), same.is_empty()) {
            (true, _) => Seen::Nothing,
            (_, true) => Seen::Other,
            _ => Seen::SameSize,
        };
        (same, seen)
    }
}
