//! Tests of the FHIR routes: search for documents, one document and its content.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod content;
mod entitlement;
mod parameters;
mod search;
mod support;
