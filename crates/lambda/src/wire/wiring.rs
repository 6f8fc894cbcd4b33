//! The builder [`Wiring`]. The other files of this folder add a method for each adapter.

use docferry_aws::config::load;

use crate::config::{ConfigError, ProcessEnvironment, Reader};

/// Builder of the adapters and settings of one Lambda function.
///
/// Its methods read environment variables. A missing or invalid variable is recorded, and
/// [`Wiring::finish`] reports all of them together.
#[derive(Debug)]
pub struct Wiring {
    /// Reader of the settings that only one function has.
    pub reader: Reader<ProcessEnvironment>,
    /// AWS client settings for the function's own account.
    pub(super) aws: aws_config::SdkConfig,
}

impl Wiring {
    /// Starts logging with the level `LOG_LEVEL`, and loads the settings of the AWS clients.
    pub async fn from_environment() -> Self {
        let mut reader = Reader::from_environment();
        let level = reader.optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
        crate::telemetry::init(&level);
        Self { reader, aws: load().await }
    }

    /// Finishes reading the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems that were found, if there are any.
    pub fn finish(self) -> Result<(), ConfigError> {
        self.reader.finish()
    }

    /// Finishes reading the settings and returns an adapter that was created from them. `None`
    /// stands for an adapter that could not be created.
    ///
    /// # Errors
    /// If `adapter` is `None`, and in the same cases as [`Wiring::finish`].
    pub fn finish_with<T>(self, adapter: Option<T>) -> Result<T, ConfigError> {
        self.reader.finish_with(adapter)
    }
}
