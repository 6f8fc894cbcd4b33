//! Tests that this version of docferry can read, and continue to use, the records that earlier
//! versions have stored in DynamoDB.
//!
//! # Why the fixtures exist
//!
//! A deployment replaces the code, but the items in the table stay. A transfer that version 0.1.0
//! began may be ended by this version. If a change renames a stored attribute, every test that
//! writes a record and reads it with the same code still passes. So the folder `tests/fixtures`
//! keeps samples of the items that each version really wrote: one sample for each kind of record
//! and each state that such a record can be in. These samples are the fixtures.
//!
//! # How the fixtures are written
//!
//! The test in [`write`] drives transfers and batches through all of their states with the calls
//! that the use cases make, on the emulator. After each step it saves the stored item. It then
//! compares the saved items with the fixtures of the unreleased version, or replaces these fixtures
//! on request. The fixtures of released versions never change. `tests/fixtures/README.md` says how
//! to rewrite the fixtures and what to do at a release.
//!
//! # How the fixtures are read
//!
//! - [`read`] reads the items of all versions through the store and checks that no value is lost.
//!   These tests use a fake table and need no emulator.
//! - [`carry_on`] continues the work that the items describe, on the emulator.
//!
//! # Modules
//!
//! | modules | content |
//! |---|---|
//! | [`labels`], [`keys`], [`times`], [`values`] | names, keys, times and values of the samples |
//! | [`fixtures`], [`typed_json`] | the fixture files and their format |
//! | [`write`], [`writer`], `write_…` | writing the samples |
//! | [`read`], [`check`], `check_…`, [`table`] | reading the samples |
//! | [`carry_on`] | continuing the work of the samples |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod carry_on;
mod check;
mod check_jobs;
mod check_shared;
mod fixtures;
mod keys;
mod labels;
mod read;
mod table;
mod times;
mod typed_json;
mod values;
mod write;
mod write_batches;
mod write_downloads;
mod write_endings;
mod write_onedrive;
mod write_shared;
mod writer;
