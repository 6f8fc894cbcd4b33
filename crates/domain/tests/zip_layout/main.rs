//! Tests of the archives that S3 assembles (`docferry_domain::zip`).
//!
//! A reference writer in this test creates each archive in memory, without any code of the product.
//! The segments of the layout and the parts of the plan must have exactly its bytes. Archives that
//! are too large for memory contain only zeros; a reader in this test parses their records.
//!
//! | file | content |
//! |---|---|
//! | `sample.rs` | documents with random bytes |
//! | `reference.rs` | the reference writer |
//! | `names.rs` | names of entries |
//! | `layout.rs` | segments and ranges |
//! | `plan.rs` | parts, carried out by a simulated S3 |
//! | `limits.rs` | limits of a multipart upload, and numbers of calls |
//! | `zeros.rs` | documents of zeros |
//! | `reader.rs` | the reader of archives that are too large for memory |
//! | `zip64.rs` | sizes, positions and numbers of entries at the limits of the format |

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod layout;
mod limits;
mod names;
mod plan;
mod reader;
mod reference;
mod sample;
mod zeros;
mod zip64;
