//! Execution of a round: sends the transfers and injects the planned faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{Document, MIB, Sandbox, kill, processes_of};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::names::{execution_number, file_name, recipient_email, string_attribute, with_match};
use crate::plan::{FAULT_PERIOD_MS, Plan, PlannedTransfer, RECIPIENTS};

/// Maximum time for the last transfer to end after the faults.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(180);

/// Number of latest transfers among which repeated steps and cancel requests are chosen. Most
/// older transfers have ended.
const RECENT_TRANSFERS: usize = 10;

/// Bandwidth of each request to OneDrive. It is low, so that uploads can be killed midway.
const BYTES_PER_SECOND: u64 = 3 * MIB;

/// A round that is being executed.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) sandbox: Sandbox,
    pub(crate) documents: Vec<Document>,
    begin: Instant,
    /// Ids of the transfers whose requests got a response.
    pub(crate) accepted_ids: Mutex<Vec<String>>,
    /// Ids of the transfers whose cancellation was requested.
    pub(crate) canceled_ids: Mutex<Vec<String>>,
    /// Ids of the transfers whose executions were stopped from outside, and the times in
    /// milliseconds since 1970.
    pub(crate) stopped_executions: Mutex<Vec<(String, i64)>>,
    /// Number of killed processes.
    pub(crate) kills: AtomicUsize,
    /// Number of repeated steps.
    pub(crate) duplicates: AtomicUsize,
}

impl Round {
    /// Creates the documents, users and faults in the simulators.
    pub(crate) async fn prepare(plan: Plan) -> Self {
        let sandbox = Sandbox::new().await;
        let tag = &sandbox.tag;
        for person in 0..RECIPIENTS {
            sandbox.graph.put_user(&recipient_email(tag, person), &[]).await;
        }
        let mut documents = Vec::new();
        for planned in &plan.documents {
            let (name, delay) = (file_name(tag, planned.name), planned.mover_delay_ms.to_string());
            let more = [("filename", name.as_str()), ("moverDelayMs", &delay)];
            let guid = STANDARD.encode(fastrand::u128(..).to_le_bytes());
            documents.push(sandbox.ords.generate(&guid, planned.size, &more).await);
            sandbox.ords.0.add_faults(&with_match(&planned.faults, &name)).await;
        }
        let bandwidth = json!({ "match": tag, "bytesPerSecond": BYTES_PER_SECOND });
        sandbox.graph.0.shape(&bandwidth).await;
        for (number, planned) in plan.transfers.iter().enumerate() {
            // Matches the folder of every try of the request (see `send`).
            let part = format!("{tag}/{number:02}-");
            sandbox.graph.0.add_faults(&with_match(&planned.faults, &part)).await;
        }
        Self {
            plan,
            sandbox,
            documents,
            begin: Instant::now(),
            accepted_ids: Mutex::default(),
            canceled_ids: Mutex::default(),
            stopped_executions: Mutex::default(),
            kills: AtomicUsize::default(),
            duplicates: AtomicUsize::default(),
        }
    }

    /// Executes the plan until all transfers have ended or time is up. Returns those that
    /// have not ended.
    pub(crate) async fn run(self: &Arc<Self>) -> Vec<String> {
        let ((), (), (), (), (), unfinished) = tokio::join!(
            self.send_all(),
            self.kill_all(),
            self.duplicate_all(),
            self.terminate_all(),
            self.abort_all(),
            self.sweep_until_ended()
        );
        unfinished
    }

    /// Waits for a time of the plan.
    async fn wait_until(&self, at: Duration) {
        sleep_until(self.begin + at).await;
    }

    /// Sends all requests at their times.
    async fn send_all(self: &Arc<Self>) {
        let mut sends = JoinSet::new();
        for number in 0..self.plan.transfers.len() {
            let round = Arc::clone(self);
            sends.spawn(async move { round.send(number).await });
        }
        while let Some(sent) = sends.join_next().await {
            sent.unwrap();
        }
    }

    /// Requests a transfer until it is accepted, as SCV does. A try whose response was lost
    /// may have created a transfer, so each try uses another folder.
    async fn send(&self, number: usize) {
        let PlannedTransfer { at, document, person, .. } = &self.plan.transfers[number];
        self.wait_until(*at).await;
        let tag = &self.sandbox.tag;
        for try_number in 0_u32.. {
            let body = json!({
                "objGuid": self.documents[*document].guid,
                "email": recipient_email(tag, *person),
                "filePath": format!("{tag}/{number:02}-{try_number}"),
            });
            let answer = self.sandbox.api.post(&body).await;
            if answer.status == StatusCode::ACCEPTED {
                let id = answer.json()["transferId"].as_str().unwrap().to_owned();
                self.accepted_ids.lock().unwrap().push(id);
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Kills the processes of functions.
    async fn kill_all(&self) {
        let stack = &self.sandbox.stack;
        let emulator = stack.emulator_pid.expect("the test run started the emulator");
        for (at, function) in &self.plan.kills {
            self.wait_until(*at).await;
            // Kills all of them, because it is not known which ones are busy.
            let processes = processes_of(emulator, &stack.functions[*function]);
            self.kills.fetch_add(processes.len(), Ordering::Relaxed);
            processes.into_iter().for_each(kill);
        }
    }

    /// Repeats steps that the workflow has already invoked: queues and workflows deliver at
    /// least once, and a task may continue after its timeout.
    async fn duplicate_all(&self) {
        let mut calls = JoinSet::new();
        for (at, which, step) in &self.plan.duplicates {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let invoked: &[&str] = match string_attribute(&record, "phase").as_deref() {
                Some("accepted") => continue,
                Some("pushing") => &["push"],
                Some("awaiting_arrival") => &["push", "poll"],
                Some("uploading") => &["push", "poll", "upload"],
                _ => &["push", "poll", "upload", "finalize"],
            };
            let function = invoked[step % invoked.len()];
            let execution_number = execution_number(&record);
            let cloud = self.sandbox.cloud.clone();
            self.duplicates.fetch_add(1, Ordering::Relaxed);
            calls.spawn(async move {
                // The result does not matter.
                let task = json!({ "transferId": id, "attempt": execution_number });
                let _ = cloud.invoke(function, &task).await;
            });
        }
        while calls.join_next().await.is_some() {}
    }

    /// Sends the cancel requests, and repeats those that get no response.
    async fn terminate_all(&self) {
        for (at, which) in &self.plan.terminates {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            self.canceled_ids.lock().unwrap().push(id.clone());
            let body = json!({ "transferIds": [id] }).to_string();
            let path = "/document/terminate";
            for _ in 0..10 {
                let answer = self.sandbox.api.request(Method::POST, path, Some(&body)).await;
                if answer.status == StatusCode::ACCEPTED {
                    break;
                }
                sleep(Duration::from_millis(300)).await;
            }
        }
    }

    /// Stops executions from outside, as an operator or a service limit may do. Functions
    /// that they have invoked continue.
    async fn abort_all(&self) {
        for (at, which) in &self.plan.aborts {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let is_live = !record.contains_key("endedAt") && record.contains_key("startedAt");
            if !is_live {
                continue;
            }
            let stopped = self.sandbox.cloud.stop_execution(&id, execution_number(&record)).await;
            self.stopped_executions.lock().unwrap().extend(stopped.map(|when| (id, when)));
        }
    }

    /// Returns the file name of a document, which is also its exchange key.
    pub(crate) fn document_file_name(&self, document: usize) -> String {
        file_name(&self.sandbox.tag, self.plan.documents[document].name)
    }

    /// Selects one of the latest transfers.
    fn recent_transfer(&self, which: usize) -> Option<String> {
        let accepted_ids = self.accepted_ids.lock().unwrap();
        let latest = &accepted_ids[accepted_ids.len().saturating_sub(RECENT_TRANSFERS)..];
        (!latest.is_empty()).then(|| latest[which % latest.len()].clone())
    }

    /// Makes all transfers due and invokes `sweep`, about every two seconds. The schedule
    /// does that every minute, for transfers older than 90 s. Sweeping more often shortens
    /// the test and finds transfers in more states.
    async fn sweep_until_ended(&self) -> Vec<String> {
        let bound = Duration::from_millis(FAULT_PERIOD_MS) + RECOVERY_TIMEOUT;
        loop {
            let unfinished = self.sweep().await;
            let fault_period_is_over =
                self.begin.elapsed() > Duration::from_millis(FAULT_PERIOD_MS);
            let all_are_sent = self.accepted_ids.lock().unwrap().len() == self.plan.transfers.len();
            if fault_period_is_over && all_are_sent && unfinished.is_empty()
                || self.begin.elapsed() > bound
            {
                return unfinished;
            }
            sleep(Duration::from_millis(1500)).await;
        }
    }

    /// Sweeps. Returns the transfers that had not ended before the sweep.
    pub(crate) async fn sweep(&self) -> Vec<String> {
        let items = self.sandbox.cloud.make_due().await;
        // The result is ignored, because the sweeper may be killed, too.
        let _ =
            timeout(Duration::from_secs(60), self.sandbox.cloud.invoke("sweep", &json!({}))).await;
        let live = items.iter().filter(|item| !item.contains_key("endedAt"));
        live.filter_map(|item| string_attribute(item, "transferId")).collect()
    }
}
