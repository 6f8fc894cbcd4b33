//! The trace that a call belongs to, from the request to whatever is called for it.
//!
//! A request brings it, the record keeps it, each step takes it from the record, and
//! the clients of outside systems send it along. Nobody in between has to hand it on:
//! it belongs to the task that runs.

use std::cell::RefCell;
use std::future::Future;

use docferry_domain::TraceParent;

tokio::task_local! {
    static CURRENT: RefCell<Option<TraceParent>>;
}

/// Runs `work` as part of a trace; of none, until [`follow`] says of which.
pub fn within<F: Future>(trace: Option<TraceParent>, work: F) -> impl Future<Output = F::Output> {
    // A step is a large future; here it is moved no more.
    CURRENT.scope(RefCell::new(trace), Box::pin(work))
}

/// What is done from here on belongs to that trace, or to none. Does nothing outside
/// of [`within`].
pub(crate) fn follow(trace: Option<&TraceParent>) {
    let _outside = CURRENT.try_with(|current| *current.borrow_mut() = trace.cloned());
}

/// The header of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// The trace that this is part of.
#[must_use]
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}
