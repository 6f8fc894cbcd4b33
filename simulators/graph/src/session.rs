//! Upload sessions and their state transitions.

use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    content::{Content, Draft},
    drive::Conflict,
    error::GraphError,
    range::Claim,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Open,
    Completed,
    Deleted,
    Expired,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// Query of the upload URL. It is the credential and is compared byte for byte.
    pub(crate) credential: String,
    /// UPN of the drive's owner.
    pub(crate) user: String,
    pub(crate) path: Vec<String>,
    /// File size, declared at creation or by the first fragment.
    pub(crate) size: Option<u64>,
    pub(crate) conflict: Conflict,
    /// Creation and modification times that the file will get.
    pub(crate) client_times: Option<(String, String)>,
    pub(crate) content: Content,
    /// Received body bytes, including those of failed requests.
    pub(crate) received: u64,
    /// Number of requests with well-formed headers.
    pub(crate) fragments: u64,
    /// Length of the largest fragment in bytes.
    pub(crate) largest: u64,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    state: State,
    /// Time at which an idle session expires, on the monotonic clock.
    deadline: Instant,
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
            received: 0,
            fragments: 0,
            largest: 0,
            created: now,
            expires: now,
            state: State::Open,
            deadline: Instant::now(),
            lifetime,
        };
        session.touch();
        session
    }

    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.user, self.path.join("/"))
    }

    /// Renews the session's lifetime after activity.
    pub(crate) fn touch(&mut self) {
        self.deadline = Instant::now() + self.lifetime;
        self.expires = sim_kit::now().checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
    }

    /// Renews the lifetime of a session that has not ended.
    pub(crate) fn touch_if_open(&mut self) {
        if self.state() == State::Open {
            self.touch();
        }
    }

    /// Returns the state, and expires the session first if its lifetime has passed.
    pub(crate) fn state(&mut self) -> State {
        if Instant::now() >= self.deadline {
            self.expire();
        }
        self.state
    }

    /// Marks an open session as expired; a session that has ended keeps its state.
    pub(crate) fn expire(&mut self) {
        if self.state == State::Open {
            self.close(State::Expired);
        }
    }

    /// Ends the session and drops its bytes.
    pub(crate) fn close(&mut self, state: State) {
        self.state = state;
        self.content.discard();
    }

    /// Checks that a fragment may be stored now.
    pub(crate) fn accepts(&mut self, claim: &Claim) -> Result<(), GraphError> {
        if self.state() != State::Open {
            return Err(GraphError::session_not_found());
        }
        if self.size.is_some_and(|size| size != claim.total) {
            return Err(GraphError::invalid("The total differs from the declared file size."));
        }
        let next = self.content.size;
        if claim.start == next {
            return Ok(());
        }
        let inner = if claim.start < next { "fragmentOverlap" } else { "fragmentOutOfOrder" };
        let message = format!("The next expected byte is {next}.");
        Err(GraphError::new(StatusCode::RANGE_NOT_SATISFIABLE, "invalidRange", message)
            .inner(inner))
    }

    pub(crate) fn store(&mut self, claim: &Claim, draft: Draft) {
        self.size = Some(claim.total);
        self.content.append(draft);
        self.touch();
    }

    /// Simulates the loss of acknowledged bytes.
    pub(crate) fn forget(&mut self) {
        self.content = Content::default();
    }

    pub(crate) fn expected_ranges(&self) -> Vec<String> {
        vec![format!("{}-", self.content.size)]
    }
}
