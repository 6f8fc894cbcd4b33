//! Implementation of the port [`DocumentSource`] by the [`World`].

use docferry_app::ports::{DocumentSource, SourceAnswer, SourceError};
use docferry_domain::ids::ObjectGuid;

use crate::World;

impl DocumentSource for World {
    async fn push(&self, guid: &ObjectGuid) -> Result<SourceAnswer, SourceError> {
        self.effect("push", SourceError::Unavailable, async || {
            let document =
                self.state().documents.get(guid.as_str()).cloned().ok_or(SourceError::NotFound)?;
            if document.moves {
                self.state().push_copy(&document.filename, document.bytes.clone());
            }
            Ok(SourceAnswer {
                filename: document.filename,
                mime: Some("application/pdf".into()),
                size: document.claimed_size.unwrap_or(document.bytes.len() as u64),
            })
        })
        .await
    }

    async fn ping(&self) -> Result<String, SourceError> {
        Ok("available".into())
    }
}
