//! Execution of one chaos round: sends the planned transfer requests and causes the planned
//! faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{Document, MIB, Sandbox, kill, processes_of};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::names::{execution_number, file_name, recipient_email, string_attribute, with_match};
use crate::plan::{
    Plan, PlannedDuplicate, PlannedKill, PlannedSelection, PlannedTransfer, RECIPIENT_COUNT,
};

/// Number of latest transfers from which the plan's selectors choose. Most older transfers have
/// ended.
const RECENT_TRANSFERS: usize = 10;

/// Bandwidth of each request to OneDrive. It is low, so that uploads can be killed midway.
const BYTES_PER_SECOND: u64 = 3 * MIB;

/// A round that is being executed.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) sandbox: Sandbox,
    pub(crate) documents: Vec<Document>,
    /// Time at which the execution of the plan started.
    pub(crate) start: Instant,
    /// Ids of the transfers whose requests got the response 202.
    pub(crate) accepted_ids: Mutex<Vec<String>>,
    /// Ids of the transfers whose cancellation was requested.
    pub(crate) canceled_ids: Mutex<Vec<String>>,
    /// Executions that were stopped from outside: the id of the transfer, and the time of the stop
    /// in milliseconds since 1970.
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
        for recipient in 0..RECIPIENT_COUNT {
            sandbox.graph.put_user(&recipient_email(tag, recipient), &[]).await;
        }
        let mut documents = Vec::new();
        for planned in &plan.documents {
            let name = file_name(tag, planned.name_number);
            let delay = planned.mover_delay_ms.to_string();
            let parameters = [("filename", name.as_str()), ("moverDelayMs", &delay)];
            let guid = STANDARD.encode(fastrand::u128(..).to_le_bytes());
            documents.push(sandbox.ords.generate(&guid, planned.size, &parameters).await);
            sandbox.ords.simulator.add_faults(&with_match(&planned.faults, &name)).await;
        }
        let bandwidth = json!({ "match": tag, "bytesPerSecond": BYTES_PER_SECOND });
        sandbox.graph.simulator.shape(&bandwidth).await;
        for (number, planned) in plan.transfers.iter().enumerate() {
            // All tries of the request (see `send`) use folders that start with this text.
            let folder_prefix = format!("{tag}/{number:02}-");
            sandbox.graph.simulator.add_faults(&with_match(&planned.faults, &folder_prefix)).await;
        }
        Self {
            plan,
            sandbox,
            documents,
            start: Instant::now(),
            accepted_ids: Mutex::default(),
            canceled_ids: Mutex::default(),
            stopped_executions: Mutex::default(),
            kills: AtomicUsize::default(),
            duplicates: AtomicUsize::default(),
        }
    }

    /// Executes the plan until all transfers have ended or [`crate::sweep::RECOVERY_TIMEOUT`] has passed since
    /// the end of the faults.
    /// Returns the ids of the transfers that have not ended.
    pub(crate) async fn run(self: &Arc<Self>) -> Vec<String> {
        let ((), (), (), (), (), unfinished) = tokio::join!(
            self.send_all(),
            self.kill_all(),
            self.duplicate_all(),
            self.cancel_all(),
            self.stop_all(),
            self.sweep_until_ended()
        );
        unfinished
    }

    /// Waits for a time of the plan.
    async fn wait_until(&self, at: Duration) {
        sleep_until(self.start + at).await;
    }

    /// Sends all transfer requests at their planned times.
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
        let PlannedTransfer { at, document_index, recipient, .. } = &self.plan.transfers[number];
        self.wait_until(*at).await;
        let tag = &self.sandbox.tag;
        for try_number in 0_u32.. {
            let body = json!({
                "objGuid": self.documents[*document_index].guid,
                "email": recipient_email(tag, *recipient),
                "filePath": format!("{tag}/{number:02}-{try_number}"),
            });
            let response = self.sandbox.api.post(&body).await;
            if response.status == StatusCode::ACCEPTED {
                let id = response.json()["transferId"].as_str().unwrap().to_owned();
                self.accepted_ids.lock().unwrap().push(id);
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Kills the processes of functions at the planned times.
    async fn kill_all(&self) {
        let stack = &self.sandbox.stack;
        let emulator = stack.emulator_pid.expect("the test run started the emulator");
        for PlannedKill { at, function } in &self.plan.kills {
            self.wait_until(*at).await;
            // Kills all processes of the function, because it is unknown which of them are busy.
            let processes = processes_of(emulator, &stack.functions[*function]);
            self.kills.fetch_add(processes.len(), Ordering::Relaxed);
            processes.into_iter().for_each(kill);
        }
    }

    /// Repeats steps that the workflow has already invoked. In production, a step may also run
    /// twice, because an invocation may continue after its timeout.
    async fn duplicate_all(&self) {
        let mut calls = JoinSet::new();
        for PlannedDuplicate { at, transfer_selector, step_selector } in &self.plan.duplicates {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*transfer_selector) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let reached_steps: &[&str] = match string_attribute(&record, "phase").as_deref() {
                Some("accepted") => continue,
                Some("pushing") => &["push"],
                Some("awaiting_arrival") => &["push", "poll"],
                Some("uploading") => &["push", "poll", "upload"],
                _ => &["push", "poll", "upload", "finalize"],
            };
            let function = reached_steps[step_selector % reached_steps.len()];
            let execution_number = execution_number(&record);
            let cloud = self.sandbox.cloud.clone();
            self.duplicates.fetch_add(1, Ordering::Relaxed);
            calls.spawn(async move {
                // The invocation may fail, because the step may already be done.
                let task = json!({ "transferId": id, "attempt": execution_number });
                let _ = cloud.invoke(function, &task).await;
            });
        }
        while calls.join_next().await.is_some() {}
    }

    /// Sends the cancel requests. Each request is sent up to ten times until it is accepted.
    async fn cancel_all(&self) {
        for PlannedSelection { at, transfer_selector } in &self.plan.cancels {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*transfer_selector) else { continue };
            self.canceled_ids.lock().unwrap().push(id.clone());
            let body = json!({ "transferIds": [id] }).to_string();
            let path = "/document/terminate";
            for _ in 0..10 {
                let response = self.sandbox.api.request(Method::POST, path, Some(&body)).await;
                if response.status == StatusCode::ACCEPTED {
                    break;
                }
                sleep(Duration::from_millis(300)).await;
            }
        }
    }

    /// Stops executions from outside, as an operator or a service limit may do. Functions that
    /// a stopped execution has invoked continue to run.
    async fn stop_all(&self) {
        for PlannedSelection { at, transfer_selector } in &self.plan.stops {
            self.wait_until(*at).await;
            let Some(id) = self.recent_transfer(*transfer_selector) else { continue };
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
    pub(crate) fn document_file_name(&self, document_index: usize) -> String {
        file_name(&self.sandbox.tag, self.plan.documents[document_index].name_number)
    }

    /// Returns the id of the transfer that a selector chooses from the latest transfers, or
    /// `None` if no transfer was accepted yet.
    fn recent_transfer(&self, selector: usize) -> Option<String> {
        let accepted_ids = self.accepted_ids.lock().unwrap();
        let latest = &accepted_ids[accepted_ids.len().saturating_sub(RECENT_TRANSFERS)..];
        (!latest.is_empty()).then(|| latest[selector % latest.len()].clone())
    }
}
