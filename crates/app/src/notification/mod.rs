//! Messages about endings: outcome records and webhook notifications.

pub mod outcome;
pub mod webhook;
