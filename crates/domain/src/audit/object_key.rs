//! Names of delivered objects in the audit trail.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of an object's key in hexadecimal. The trail contains this hash instead of
/// the key, because a reader of the trail could look for the object by its key.
#[must_use]
pub fn object_key_hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}
