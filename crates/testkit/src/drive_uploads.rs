//! Uploads to the in-memory OneDrive: fragments of upload sessions and whole files. A test scripts
//! the responses.

use bytes::Bytes;
use docferry_app::ports::{ConflictPolicy, DriveError, DriveItem, FragmentResult};
use docferry_domain::upload::{ExpectedRange, FragmentRange, GRANULE_BYTES};
use jiff::Timestamp;

use crate::drive_state::{DriveState, Scripted};

impl DriveState {
    /// Receives one fragment and returns the next scripted response.
    pub(crate) fn receive_fragment(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
        now: Timestamp,
    ) -> Result<FragmentResult, DriveError> {
        self.received += body.len() as u64;
        self.session(url, now)?;
        match self.next_scripted() {
            Scripted::Correct => {}
            Scripted::StoreThenLose(count) => {
                let stored_length = usize::try_from(count).unwrap().min(body.len());
                let _lost_response = self.append(url, range, &body[..stored_length]);
                return Err(DriveError::Ambiguous("lost".into()));
            }
            Scripted::NoItem => {
                let _lost_response = self.append(url, range, body);
                return Err(DriveError::Ambiguous("no item".into()));
            }
            Scripted::Forget => {
                let session = self.session(url, now)?;
                session.stored.clear();
                return Ok(FragmentResult::Accepted { next: Some(ExpectedRange::open(range.end)) });
            }
            Scripted::Conflict => return Err(DriveError::Conflict),
            Scripted::Throttle(retry_after) => return Err(DriveError::Throttled { retry_after }),
            Scripted::Expire => {
                self.sessions.remove(url);
                return Err(DriveError::SessionGone);
            }
            Scripted::ServerError => return Err(DriveError::Ambiguous("500".into())),
            Scripted::Lock => return Err(DriveError::Locked),
        }
        if !range.is_last() && !range.len().is_multiple_of(GRANULE_BYTES) {
            return Err(DriveError::Refused { code: "unaligned".into() });
        }
        self.append(url, range, body)
    }

    /// Receives a whole file in one PUT and returns the next scripted response.
    pub(crate) fn receive_file(
        &mut self,
        path: String,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> Result<DriveItem, DriveError> {
        self.received += bytes.len() as u64;
        let scripted = self.next_scripted();
        // `Expire` and `Forget` change only sessions, so a PUT ignores them.
        match scripted {
            Scripted::Correct
            | Scripted::Expire
            | Scripted::NoItem
            | Scripted::Forget
            | Scripted::StoreThenLose(u64::MAX) => {}
            Scripted::Conflict => return Err(DriveError::Conflict),
            Scripted::StoreThenLose(_) | Scripted::ServerError => {
                return Err(DriveError::Ambiguous("500".into()));
            }
            Scripted::Throttle(retry_after) => return Err(DriveError::Throttled { retry_after }),
            Scripted::Lock => return Err(DriveError::Locked),
        }
        self.check_conflict(&path, policy)?;
        let item = self.store(path, bytes);
        match scripted {
            Scripted::StoreThenLose(_) => Err(DriveError::Ambiguous("lost".into())),
            Scripted::NoItem => Err(DriveError::Ambiguous("no item".into())),
            _ => Ok(item),
        }
    }

    /// Removes the next scripted response from the script and returns it.
    pub(crate) fn next_scripted(&mut self) -> Scripted {
        if self.script.is_empty() { Scripted::Correct } else { self.script.remove(0) }
    }

    /// Appends a fragment to its session. The last fragment creates the file.
    pub(crate) fn append(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
    ) -> Result<FragmentResult, DriveError> {
        let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
        if range.start != session.stored.len() as u64 || range.total != session.size {
            return Err(DriveError::OffsetMismatch);
        }
        session.stored.extend_from_slice(body);
        let next = session.stored.len() as u64;
        if next < session.size {
            return Ok(FragmentResult::Accepted { next: Some(ExpectedRange::open(next)) });
        }
        let (path, policy) = (session.path.clone(), session.policy);
        // A conflict restores the session as it was before the fragment.
        if let Err(conflict) = self.check_conflict(&path, policy) {
            let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
            session.stored.truncate(usize::try_from(range.start).unwrap());
            return Err(conflict);
        }
        let session = self.sessions.remove(url).ok_or(DriveError::SessionGone)?;
        let path = match policy {
            ConflictPolicy::Rename => self.free_path(&path),
            _ => path,
        };
        Ok(FragmentResult::Completed(self.store(path, session.stored.freeze())))
    }
}
