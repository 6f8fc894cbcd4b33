//! An upload session of the Microsoft Graph simulator: its state, its lifetime and the bytes that
//! the client has sent in it.

use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    content::{Content, Draft},
    destination::{Conflict, Destination},
    error::GraphError,
    range::DeclaredRange,
};

/// State of a session. Only an open session accepts requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SessionState {
    Open,
    Completed,
    Deleted,
    Expired,
}

/// An upload session for one file.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// Query string of the upload URL. It is the credential of the session and is compared byte for
    /// byte.
    pub(crate) credential: String,
    /// UPN (sign-in name) of the drive's owner.
    pub(crate) user: String,
    /// Names on the path from the root of the drive to the file.
    pub(crate) path: Vec<String>,
    /// Size of the file. Either the request that creates the session or the first fragment declares
    /// it.
    pub(crate) size: Option<u64>,
    pub(crate) conflict: Conflict,
    /// Creation and modification times that the client has set for the file.
    pub(crate) client_times: Option<(String, String)>,
    /// Bytes that the session has accepted so far.
    pub(crate) content: Content,
    /// Received body bytes, including those of failed requests.
    pub(crate) received_bytes: u64,
    /// Number of fragment requests with well-formed headers.
    pub(crate) fragments: u64,
    /// Length of the largest fragment in bytes.
    pub(crate) largest_fragment: u64,
    pub(crate) created: Timestamp,
    /// Time at which the session expires if the client stays idle. The client sees this time.
    pub(crate) expires_at: Timestamp,
    state: SessionState,
    /// The same time as `expires_at`, on the monotonic clock. The session expires by this clock, so
    /// a change of the system time has no effect.
    deadline: Instant,
    /// Time without activity after which the session expires.
    lifetime: Duration,
}

impl Session {
    pub(crate) fn new(
        id: String,
        credential: String,
        user: String,
        path: Vec<String>,
        size: Option<u64>,
        conflict: Conflict,
        lifetime: Duration,
    ) -> Self {
        let now = sim_kit::now();
        let mut session = Self {
            id,
            credential,
            user,
            path,
            size,
            conflict,
            client_times: None,
            content: Content::default(),
            received_bytes: 0,
            fragments: 0,
            largest_fragment: 0,
            created: now,
            expires_at: now,
            state: SessionState::Open,
            deadline: Instant::now(),
            lifetime,
        };
        session.renew_lifetime();
        session
    }

    /// Returns the subject of requests for this session: the user and the path. Fault rules, which
    /// make chosen requests fail, select requests by it.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.user, self.path.join("/"))
    }

    /// Returns the destination of the file.
    pub(crate) fn destination(&self) -> Destination {
        Destination::new(&self.user, &self.path)
    }

    /// Starts the session's lifetime anew after activity of the client.
    pub(crate) fn renew_lifetime(&mut self) {
        self.deadline = Instant::now() + self.lifetime;
        self.expires_at = sim_kit::now().checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
    }

    /// Starts the lifetime of an open session anew. Does nothing if the session has ended.
    pub(crate) fn renew_lifetime_if_open(&mut self) {
        if self.state() == SessionState::Open {
            self.renew_lifetime();
        }
    }

    /// Returns the state. If the lifetime of an open session is over, first marks the session as
    /// expired.
    pub(crate) fn state(&mut self) -> SessionState {
        if Instant::now() >= self.deadline {
            self.expire();
        }
        self.state
    }

    /// Marks an open session as expired. Does nothing if the session has ended.
    pub(crate) fn expire(&mut self) {
        if self.state == SessionState::Open {
            self.close(SessionState::Expired);
        }
    }

    /// Ends the session in the given state and discards its bytes.
    pub(crate) fn close(&mut self, state: SessionState) {
        self.state = state;
        self.content.discard();
    }

    /// Checks that the session is open and that the fragment starts at the next expected byte.
    pub(crate) fn check_next_range(&mut self, range: &DeclaredRange) -> Result<(), GraphError> {
        if self.state() != SessionState::Open {
            return Err(GraphError::session_not_found());
        }
        if self.size.is_some_and(|size| size != range.total) {
            return Err(GraphError::invalid("The total differs from the declared file size."));
        }
        let next_expected = self.content.size;
        if range.start == next_expected {
            return Ok(());
        }
        let inner_code =
            if range.start < next_expected { "fragmentOverlap" } else { "fragmentOutOfOrder" };
        let message = format!("The next expected byte is {next_expected}.");
        Err(GraphError::new(StatusCode::RANGE_NOT_SATISFIABLE, "invalidRange", message)
            .with_inner_code(inner_code))
    }

    /// Adds the bytes of a fragment to the session.
    pub(crate) fn store(&mut self, range: &DeclaredRange, draft: Draft) {
        self.size = Some(range.total);
        self.content.append(draft);
        self.renew_lifetime();
    }

    /// Simulates that the service loses all bytes that it has acknowledged.
    pub(crate) fn lose_stored_bytes(&mut self) {
        self.content = Content::default();
    }

    /// Returns the byte ranges that the session still expects, as Graph formats them.
    pub(crate) fn expected_ranges(&self) -> Vec<String> {
        vec![format!("{}-", self.content.size)]
    }
}
