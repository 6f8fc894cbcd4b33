//! Fault table: the known faults of an upload to Microsoft Graph, each with its expected result.

mod fragments;
mod last_fragment;
mod refusals;
mod rules;
mod session;
mod whole_put;

use crate::row::Row;

/// Returns all rows of the fault table.
pub(crate) fn rows() -> Vec<Row> {
    [
        session::session_creation(),
        fragments::fragments(),
        session::lost_sessions(),
        fragments::throttling(),
        last_fragment::last_fragment(),
        refusals::refusals(),
        fragments::changed_source(),
        whole_put::whole_put(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
