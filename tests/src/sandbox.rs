use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    Api, Cloud, Delivered, Document, FailureCode, Graph, LONG, Ords, SHORT, Simulator, Stack,
    Status, eventually, stack,
};

/// A mebibyte.
pub const MIB: u64 = 1 << 20;

/// One test's own document, recipient and folder in the shared system.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// The system.
    pub stack: Stack,
    /// Its API.
    pub api: Api,
    /// Its document source.
    pub ords: Ords,
    /// Its destination.
    pub graph: Graph,
    /// What it runs on.
    pub cloud: Cloud,
    /// Stands in everything that belongs to this test, so that rules which match
    /// on it concern nobody else.
    pub tag: String,
    /// Of the document.
    pub guid: String,
    /// Of the recipient.
    pub email: String,
    /// Of the document, and its key in the exchange bucket.
    pub file_name: String,
    /// Folder in the recipient's OneDrive.
    pub folder: String,
}

impl Sandbox {
    /// Names that no other test has, and a user with a OneDrive.
    pub async fn new() -> Self {
        let stack = stack();
        let tag = format!("zq{:016x}", fastrand::u64(..));
        let sandbox = Self {
            api: Api::new(&stack),
            ords: Ords(Simulator::new(&stack.ords.admin)),
            graph: Graph(Simulator::new(&stack.graph.admin)),
            cloud: Cloud::new(&stack),
            guid: STANDARD.encode(fastrand::u128(..).to_le_bytes()),
            email: format!("{tag}@docferry.example"),
            file_name: format!("{tag}.pdf"),
            folder: format!("Court {tag}/Exhibits"),
            stack,
            tag,
        };
        sandbox.graph.put_user(&sandbox.email, &[]).await;
        sandbox
    }

    /// The same for a further document.
    #[must_use]
    pub fn another_document(&self) -> Self {
        Self { guid: STANDARD.encode(fastrand::u128(..).to_le_bytes()), ..self.clone() }
    }

    /// Puts this test's document of `size` made-up bytes at its source.
    pub async fn document(&self, size: u64) -> Document {
        self.document_with(size, &[]).await
    }

    /// The same with further parameters of the source.
    pub async fn document_with(&self, size: u64, more: &[(&str, &str)]) -> Document {
        let query = [&[("filename", self.file_name.as_str())], more].concat();
        self.ords.generate(&self.guid, size, &query).await
    }

    /// Adds rules to the document source, for this test's document only.
    pub async fn source_faults(&self, rules: impl IntoIterator<Item = Value>) {
        self.ords.0.add_faults(&self.mine(rules)).await;
    }

    /// Adds rules to Graph, for this test's recipient only.
    pub async fn graph_faults(&self, rules: impl IntoIterator<Item = Value>) {
        self.graph.0.add_faults(&self.mine(rules)).await;
    }

    /// Fails unless every rule of this test has fired: a fault that never
    /// happened proves nothing.
    pub async fn assert_faults_fired(&self) {
        let fired =
            [self.ords.0.fired(&self.tag).await, self.graph.0.fired(&self.tag).await].concat();
        assert!(!fired.is_empty() && fired.iter().all(|times| *times > 0), "{fired:?}");
    }

    /// Limits the bandwidth towards this test's recipient.
    pub async fn limit_bandwidth(&self, bytes_per_second: u64) {
        let shape = json!({ "match": self.tag, "totalBytesPerSecond": bytes_per_second });
        self.graph.0.shape(&shape).await;
    }

    fn mine(&self, rules: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let with_match = |mut rule: Value| {
            rule["match"] = self.tag.as_str().into();
            rule
        };
        rules.into_iter().map(with_match).collect()
    }

    /// Asks for the document; returns the transfer's id.
    pub async fn send(&self) -> String {
        self.send_to(&self.email).await
    }

    /// Asks for the document for somebody.
    pub async fn send_to(&self, email: &str) -> String {
        let body = json!({ "objGuid": self.guid, "email": email, "filePath": self.folder });
        let answer = self.api.post(&body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert_eq!(answer.json()["objGuid"], self.guid);
        answer.json()["transferId"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of a transfer.
    pub async fn end_within(&self, bound: Duration, id: &str) -> Status {
        eventually("the transfer ends", bound, async || {
            Some(self.api.status(id).await).filter(Status::has_ended)
        })
        .await
    }

    /// Asks for the document and waits for the end.
    pub async fn transfer(&self) -> (String, Status) {
        let id = self.send().await;
        let status = self.end_within(SHORT, &id).await;
        (id, status)
    }

    /// Where the document belongs, under another name than it has at its source.
    pub fn path_of(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    /// Asks for the document, waits, and sees that all is as it should be after a
    /// delivery; returns the transfer's id and the file.
    pub async fn deliver(&self, document: &Document) -> (String, Delivered) {
        let id = self.send().await;
        let file = self.delivered_within(SHORT, &id, document).await;
        (id, file)
    }

    /// Waits for a transfer's end and sees that all is as it should be after a
    /// delivery: the right bytes in the right place, the truth in the status, and
    /// nothing left behind.
    pub async fn delivered_within(
        &self,
        bound: Duration,
        id: &str,
        document: &Document,
    ) -> Delivered {
        let status = self.end_within(bound, id).await;
        assert_eq!((status.error, &status.last_error_message), (false, &None), "{status:?}");
        assert_eq!(status.percent_transfered, 100);
        assert_eq!(status.file_size, document.size);
        let file = self.the_file_of(&self.email).await;
        assert_eq!(file.path, self.path_of(&self.file_name));
        assert_eq!((file.size, &file.sha256), (document.size, &document.sha256));
        self.nothing_is_left(id).await;
        assert!(self.open_sessions().await.is_empty());
        file
    }

    /// The only file that somebody has.
    pub async fn the_file_of(&self, email: &str) -> Delivered {
        let mut files = self.graph.files(email).await;
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    /// Upload sessions to this test's recipient that are still open.
    pub async fn open_sessions(&self) -> Vec<String> {
        let sessions = self.graph.sessions(&self.email).await;
        sessions.into_iter().filter(|s| s.state == "open").map(|s| s.path).collect()
    }

    /// Waits for the end of the workflow, which comes a little after that of the
    /// transfer, and sees that neither object nor session item is left.
    pub async fn nothing_is_left(&self, id: &str) {
        assert_eq!(self.cloud.execution_end(id).await, "SUCCEEDED");
        let record = self.cloud.record(id).await.unwrap_or_default();
        let pushes: u32 =
            record.get("pushes").map_or(0, |pushes| pushes.as_n().unwrap().parse().unwrap());
        if pushes > 1 {
            // Each push may bring the document once more, after the end too: who asks
            // within the second in which the last copy was deleted pushes twice.
            self.removed_by_sweep().await;
        }
        let object = self.cloud.object(&self.file_name).await;
        assert_eq!(object, None, "exchange object; {pushes} pushes");
        assert!(self.cloud.session(id).await.is_none(), "session item");
        assert!(self.cloud.references(&self.file_name).await.is_empty(), "references");
    }

    /// Waits until `sweep` has removed the object. Who is only watched is looked at every
    /// five minutes: not waited for here.
    pub async fn removed_by_sweep(&self) {
        eventually("the sweep removes it", LONG, async || {
            self.cloud.make_due().await;
            self.cloud.invoke("sweep", &json!({})).await.unwrap();
            self.cloud.object(&self.file_name).await.is_none().then_some(())
        })
        .await;
    }

    /// Asks for the document and expects that failure, told truthfully, with
    /// nothing left behind.
    pub async fn fails_with(&self, code: FailureCode, bound: Duration) -> (String, Status) {
        let (id, status) = self.fails(code, bound).await;
        self.nothing_is_left(&id).await;
        assert!(self.open_sessions().await.is_empty());
        (id, status)
    }

    /// Asks for the document and expects that failure, told truthfully.
    pub async fn fails(&self, code: FailureCode, bound: Duration) -> (String, Status) {
        let id = self.send().await;
        let status = self.end_within(bound, &id).await;
        assert_eq!(status.last_error_message.as_deref(), Some(code.message()));
        assert!(status.error && status.percent_transfered < 100, "{status:?}");
        assert!(status.start_delivery_dtm.is_some());
        (id, status)
    }
}
