//! Configuration of the S3 simulator.

use std::fmt;

/// Configuration of a simulated S3.
#[derive(Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Name of the only bucket.
    pub bucket: String,
    /// Access key that requests must be signed with. Signatures are not checked.
    pub access_key: String,
    /// Whether every multipart upload with a checksum gets a composite one, even if the client asks
    /// for a full object checksum. Some emulators behave so; S3 does not.
    pub composite_checksums_only: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            bucket: "simulated-bucket".to_owned(),
            access_key: "simulated-key".to_owned(),
            composite_checksums_only: false,
        }
    }
}

/// Omits the access key.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("port", &self.port)
            .field("bucket", &self.bucket)
            .field("composite_checksums_only", &self.composite_checksums_only)
            .finish_non_exhaustive()
    }
}
