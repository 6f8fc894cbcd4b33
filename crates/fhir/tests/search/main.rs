//! Searches: parsing, meaning, page tokens and rendering.

#![allow(clippy::unwrap_used, reason = "tests")]

mod matching;
mod paging;
mod parsing;
mod rendering;
mod support;
mod tokens;
