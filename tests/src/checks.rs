//! Checks of a transfer in a [`Sandbox`]: its status, the delivered file, and that it left no
//! temporary data.

use std::time::Duration;

use docferry_domain::failure::FailureCode;
use serde_json::json;

use crate::{DeliveredFile, Document, LONG_TIMEOUT, Sandbox, Status, eventually};

impl Sandbox {
    /// Waits for the end of a transfer and checks the delivery: the bytes and path of the
    /// file, the status, and that no temporary data is left.
    pub async fn wait_for_delivery(
        &self,
        timeout: Duration,
        id: &str,
        document: &Document,
    ) -> DeliveredFile {
        let status = self.wait_for_end(timeout, id).await;
        assert_eq!((status.error, &status.last_error_message), (false, &None), "{status:?}");
        assert_eq!(status.percent_transfered, 100);
        assert_eq!(status.file_size, document.size);
        let file = self.only_file_of(&self.email).await;
        assert_eq!(file.path, self.path_of(&self.file_name));
        assert_eq!((file.size, &file.sha256), (document.size, &document.sha256));
        self.assert_no_leftovers(id).await;
        assert!(self.open_sessions().await.is_empty());
        file
    }

    /// Returns the file of a user, who must have exactly one.
    pub async fn only_file_of(&self, email: &str) -> DeliveredFile {
        let mut files = self.graph.files(email).await;
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    /// Returns the paths of open upload sessions to this test's recipient.
    pub async fn open_sessions(&self) -> Vec<String> {
        let sessions = self.graph.sessions(&self.email).await;
        sessions
            .into_iter()
            .filter(|session| session.state == "open")
            .map(|session| session.path)
            .collect()
    }

    /// Checks that no exchange object, session item or reference of a transfer exists. Before the
    /// check it waits for the end of the workflow execution, which ends shortly after the
    /// transfer.
    pub async fn assert_no_leftovers(&self, id: &str) {
        assert_eq!(self.cloud.wait_for_execution(id).await, "SUCCEEDED");
        let record = self.cloud.record(id).await.unwrap_or_default();
        let pushes: u32 =
            record.get("pushes").map_or(0, |pushes| pushes.as_n().unwrap().parse().unwrap());
        if pushes > 1 {
            // Each push may deliver another copy, even after the end of the transfer. A push is
            // repeated if an earlier copy was deleted within the same second.
            self.wait_for_removal().await;
        }
        let object = self.cloud.exchange_object_size(&self.file_name).await;
        assert_eq!(object, None, "exchange object; {pushes} pushes");
        assert!(self.cloud.session_item(id).await.is_none(), "session item");
        assert!(self.cloud.references(&self.file_name).await.is_empty(), "references");
    }

    /// Sweeps until the sweeper has removed the exchange object. Makes all transfers due before
    /// each sweep, because an ended transfer is due only every five minutes.
    pub async fn wait_for_removal(&self) {
        eventually("the sweeper removes the object", LONG_TIMEOUT, async || {
            self.cloud.make_due().await;
            self.cloud.invoke("sweep", &json!({})).await.unwrap();
            self.cloud.exchange_object_size(&self.file_name).await.is_none().then_some(())
        })
        .await;
    }

    /// Requests a transfer, expects it to fail with this code, and checks that the transfer left
    /// no temporary data. Returns the transfer's id and status.
    pub async fn assert_fails_cleanly(
        &self,
        code: FailureCode,
        timeout: Duration,
    ) -> (String, Status) {
        let (id, status) = self.send_and_expect_failure(code, timeout).await;
        self.assert_no_leftovers(&id).await;
        assert!(self.open_sessions().await.is_empty());
        (id, status)
    }

    /// Requests a transfer and expects it to fail with this code. Returns the transfer's id and
    /// status.
    pub async fn send_and_expect_failure(
        &self,
        code: FailureCode,
        timeout: Duration,
    ) -> (String, Status) {
        let id = self.send().await;
        let status = self.wait_for_end(timeout, &id).await;
        assert_eq!(status.last_error_message.as_deref(), Some(code.message()));
        assert!(status.error && status.percent_transfered < 100, "{status:?}");
        assert!(status.start_delivery_dtm.is_some());
        (id, status)
    }
}
