//! Trace context of the current task: carried from the request to the calls that are made for
//! it.
//!
//! The middleware takes it from a request, the record stores it, each step takes it from the
//! record, and the clients of outside systems send it. It is a task-local value, so the code in
//! between does not pass it on.

use std::cell::RefCell;
use std::future::Future;

use docferry_domain::trace::TraceParent;

tokio::task_local! {
    static CURRENT: RefCell<Option<TraceParent>>;
}

/// Runs `work` as part of a trace. With `None` it belongs to no trace until [`set_current`] sets
/// one.
pub fn within<F: Future>(trace: Option<TraceParent>, work: F) -> impl Future<Output = F::Output> {
    // A step is a large future; boxing avoids moving it.
    CURRENT.scope(RefCell::new(trace), Box::pin(work))
}

/// Sets the current trace of this task, or clears it. Does nothing outside of [`within`].
pub(crate) fn set_current(trace: Option<&TraceParent>) {
    let _outside = CURRENT.try_with(|current| *current.borrow_mut() = trace.cloned());
}

/// Header name of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// Returns the current trace, if any.
#[must_use]
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}
