//! System tests of transfers: they use the deployed system as its callers and operators do. All of
//! these tests may run concurrently.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers fail by panicking")]

mod api;
mod arrival;
mod audit;
mod command;
mod court_list;
mod delivery;
mod destination;
mod documents;
mod entitlements;
mod events;
mod feed;
mod fhir;
mod progress;
mod resume;
mod secrecy;
mod sharing;
mod source;
mod terminate;
mod tokens;
mod withdrawal;
