//! Many stored documents as one ZIP archive that S3 assembles.
//!
//! The archive is never in a function's memory as a whole:
//!
//! - [`Layout`] computes the origin of every byte from the list of documents: a generated header,
//!   or a range of a stored document.
//! - [`Plan`] divides the archive into the parts of one multipart upload. S3 copies most parts.
//!   Only small documents pass through the function.
//!
//! Neither is stored, because both can be recomputed from the list. The documents are not
//! compressed and their CRC-32 values are known, so no document is read for this.
//!
//! | file | content |
//! |---|---|
//! | `names.rs` | names that every system can extract |
//! | `numbering.rs` | numbers for duplicate names |
//! | `dos_time.rs` | time in the format of ZIP |
//! | `record.rs` | the records of the ZIP format, as bytes |
//! | `entry.rs` | one document of the archive |
//! | `error.rs` | the archive is too large |
//! | `segment.rs` | origin of a range of the archive |
//! | `positions.rs` | the position of each header and content |
//! | `layout.rs` | the archive, as segments |
//! | `plan.rs` | the parts of the multipart upload |

mod dos_time;
mod entry;
mod error;
mod layout;
mod names;
mod numbering;
mod plan;
mod positions;
mod record;
mod segment;

pub use entry::{
    Entry, LARGE_BYTES, MEDIUM_BYTES, PRELUDE_BYTES, Prelude, PreludeState, SizeClass,
};
pub use error::ArchiveTooLarge;
pub use layout::{Layout, Manifest};
pub use names::{EntryName, InvalidEntryName, MANIFEST_NAME};
pub use numbering::entry_names;
pub use plan::{MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES, Part, PartSource, Plan};
pub use segment::Segment;
