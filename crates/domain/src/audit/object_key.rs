//! Hashes that stand for the keys of delivered objects in the audit trail.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of an object's key in hexadecimal. The trail contains the hash and not the
/// key, so that its readers cannot use the key to find the object.
#[must_use]
pub fn object_key_hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}
