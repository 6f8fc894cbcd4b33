//! Documents: their metadata and subjects in the document registry, the rules that decide who may
//! see them, their names and folders in OneDrive, their hashes, and the verification of a delivered
//! file.

mod artifact;
mod case;
mod checksum;
mod entitlement;
mod folder;
mod hash;
mod key;
mod name;
mod ndjson;
mod path_rule;
mod position;
mod record;
mod record_fields;
mod record_json;
mod subject;
mod subject_pattern;
mod verify;
mod zip;

pub use artifact::{Artifact, ArtifactRecord};
pub use case::{CaseClass, CaseReference, CourtFile, InvalidCourtFile};
pub use checksum::Crc32;
pub use entitlement::{Coverage, Grant, SubjectAccess, Viewer};
pub use folder::DriveFolder;
pub use hash::{HashState, QuickXorHash, SourceHash};
pub use key::DocumentKey;
pub use name::DocumentName;
pub use ndjson::{InvalidLines, LineError, MAX_ERRORS, MAX_LINE_BYTES, RecordReader};
pub use path_rule::PathRule;
pub use position::Position;
pub use record::{DocStatus, DocumentRecord, RecordStatus, ScanResult};
pub use record_fields::{Code, ContentType, DocumentId, FileName, Group, InvalidField};
pub use record_json::{FieldError, RecordRules};
pub use subject::{InvalidPatterns, Subject, SubjectError, SubjectPatterns, SystemSetting};
pub use verify::{
    ComparedSizes, ContentParts, Evidence, ItemFacts, Rewriting, Verdict, classify_rewriting,
    is_plausible_rewriting, verify_delivery,
};
pub use zip::{MAX_DIRECTORY_BYTES, ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind};
