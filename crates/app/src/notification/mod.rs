//! Messages about the end of transfers and jobs: outcome records for the audit trail, and webhook
//! notifications for the receivers that callers name.

pub mod outcome;
pub mod webhook;
