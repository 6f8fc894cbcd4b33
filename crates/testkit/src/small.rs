use docferry_app::ports::{Clock, SealError, Sealer, Start, UploadUrl, Workflow, WorkflowError};
use docferry_domain::TransferId;
use jiff::Timestamp;

use crate::World;

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }
}

impl Sealer for World {
    async fn seal(&self, transfer: &TransferId, url: &UploadUrl) -> Result<Vec<u8>, SealError> {
        self.effect("seal", SealError::Unavailable, async || {
            Ok(format!("{transfer} {}", url.expose()).into_bytes())
        })
        .await
    }

    async fn open(&self, transfer: &TransferId, sealed: &[u8]) -> Result<UploadUrl, SealError> {
        self.effect("open", SealError::Unavailable, async || {
            let text = String::from_utf8_lossy(sealed).into_owned();
            let url = text.strip_prefix(&format!("{transfer} ")).ok_or(SealError::Unreadable)?;
            Ok(UploadUrl::new(url))
        })
        .await
    }
}

impl Workflow for World {
    async fn start(&self, transfer: &TransferId, attempt: u32) -> Result<Start, WorkflowError> {
        self.effect("start", WorkflowError, async || {
            let name = format!("{transfer}-{attempt}");
            let mut state = self.state();
            if !state.executions.contains(&name) {
                state.executions.push(name);
            }
            Ok(Start::Running)
        })
        .await
    }
}
