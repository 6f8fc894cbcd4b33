//! Documents: their names and folders in OneDrive, their hash, and the verification that a
//! file at the destination is the document.

mod artifact;
mod folder;
mod hash;
mod name;
mod path_rule;
mod verify;
mod zip;

pub use artifact::{Artifact, ArtifactRecord};
pub use folder::DriveFolder;
pub use hash::{HashState, QuickXorHash, SourceHash};
pub use name::DocumentName;
pub use path_rule::PathRule;
pub use verify::{
    ComparedSizes, ContentParts, Evidence, ItemFacts, Rewriting, Verdict, classify_rewriting,
    is_plausible_rewriting, verify_delivery,
};
pub use zip::{MAX_DIRECTORY_BYTES, ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind};
