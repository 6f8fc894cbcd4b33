//! Execution of a round: sends the transfers and injects the planned faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{Document, Item, MIB, Sandbox, kill, processes_of};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::plan::{PEOPLE, Plan, PlannedTransfer, TROUBLE_MS};

/// Maximum time for the last transfer to end after the faults.
const RECOVERY: Duration = Duration::from_secs(180);

/// Number of latest transfers among which repeated steps and cancel requests are chosen. Most
/// older transfers have ended.
const LATEST: usize = 10;

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
    pub(crate) answered: Mutex<Vec<String>>,
    /// Ids of the transfers whose cancellation was requested.
    pub(crate) stopped: Mutex<Vec<String>>,
    /// Ids of the transfers whose executions were stopped from outside, and the times in
    /// milliseconds since 1970.
    pub(crate) aborted: Mutex<Vec<(String, i64)>>,
    /// Number of killed processes.
    pub(crate) kills: AtomicUsize,
    /// Number of repeated steps.
    pub(crate) duplicates: AtomicUsize,
}

/// Returns a string attribute of an item.
pub(crate) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(crate) fn attempt_of(record: &Item) -> u32 {
    record["attempt"].as_n().unwrap().parse().unwrap()
}

impl Round {
    /// Creates the documents, users and faults in the simulators.
    pub(crate) async fn prepare(plan: Plan) -> Self {
        let sandbox = Sandbox::new().await;
        let tag = &sandbox.tag;
        for person in 0..PEOPLE {
            sandbox.graph.put_user(&email(tag, person), &[]).await;
        }
        let mut documents = Vec::new();
        for planned in &plan.documents {
            let (name, delay) = (name(tag, planned.name), planned.mover_delay_ms.to_string());
            let more = [("filename", name.as_str()), ("moverDelayMs", &delay)];
            let guid = STANDARD.encode(fastrand::u128(..).to_le_bytes());
            documents.push(sandbox.ords.generate(&guid, planned.size, &more).await);
            sandbox.ords.0.add_faults(&matching(&planned.faults, &name)).await;
        }
        let slow = json!({ "match": tag, "bytesPerSecond": BYTES_PER_SECOND });
        sandbox.graph.0.shape(&slow).await;
        for (number, planned) in plan.transfers.iter().enumerate() {
            // Matches the folder of every try of the request (see `send`).
            let part = format!("{tag}/{number:02}-");
            sandbox.graph.0.add_faults(&matching(&planned.faults, &part)).await;
        }
        Self {
            plan,
            sandbox,
            documents,
            begin: Instant::now(),
            answered: Mutex::default(),
            stopped: Mutex::default(),
            aborted: Mutex::default(),
            kills: AtomicUsize::default(),
            duplicates: AtomicUsize::default(),
        }
    }

    /// Executes the plan until all transfers have ended or time is up. Returns those that
    /// have not ended.
    pub(crate) async fn play(self: &Arc<Self>) -> Vec<String> {
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
    async fn until(&self, at: Duration) {
        sleep_until(self.begin + at).await;
    }

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
        self.until(*at).await;
        let tag = &self.sandbox.tag;
        for try_number in 0_u32.. {
            let body = json!({
                "objGuid": self.documents[*document].guid,
                "email": email(tag, *person),
                "filePath": format!("{tag}/{number:02}-{try_number}"),
            });
            let answer = self.sandbox.api.post(&body).await;
            if answer.status == StatusCode::ACCEPTED {
                let id = answer.json()["transferId"].as_str().unwrap().to_owned();
                self.answered.lock().unwrap().push(id);
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    async fn kill_all(&self) {
        let stack = &self.sandbox.stack;
        let emulator = stack.emulator_pid.expect("the test run started the emulator");
        for (at, function) in &self.plan.kills {
            self.until(*at).await;
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
            self.until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let invoked: &[&str] = match text(&record, "phase").as_deref() {
                Some("accepted") => continue,
                Some("pushing") => &["push"],
                Some("awaiting_arrival") => &["push", "poll"],
                Some("uploading") => &["push", "poll", "upload"],
                _ => &["push", "poll", "upload", "finalize"],
            };
            let function = invoked[step % invoked.len()];
            let attempt = attempt_of(&record);
            let cloud = self.sandbox.cloud.clone();
            self.duplicates.fetch_add(1, Ordering::Relaxed);
            calls.spawn(async move {
                // The result does not matter.
                let task = json!({ "transferId": id, "attempt": attempt });
                let _ = cloud.invoke(function, &task).await;
            });
        }
        while calls.join_next().await.is_some() {}
    }

    async fn terminate_all(&self) {
        for (at, which) in &self.plan.terminates {
            self.until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            self.stopped.lock().unwrap().push(id.clone());
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
            self.until(*at).await;
            let Some(id) = self.recent_transfer(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let is_live = !record.contains_key("endedAt") && record.contains_key("startedAt");
            if !is_live {
                continue;
            }
            let stopped = self.sandbox.cloud.stop_execution(&id, attempt_of(&record)).await;
            self.aborted.lock().unwrap().extend(stopped.map(|when| (id, when)));
        }
    }

    /// Returns the file name of a document, which is also its exchange key.
    pub(crate) fn name_of(&self, document: usize) -> String {
        name(&self.sandbox.tag, self.plan.documents[document].name)
    }

    /// Selects one of the latest transfers.
    fn recent_transfer(&self, which: usize) -> Option<String> {
        let answered = self.answered.lock().unwrap();
        let latest = &answered[answered.len().saturating_sub(LATEST)..];
        (!latest.is_empty()).then(|| latest[which % latest.len()].clone())
    }

    /// Makes all transfers due and invokes `sweep`, about every two seconds. The schedule
    /// does that every minute, for transfers older than 90 s. Sweeping more often shortens
    /// the test and finds transfers in more states.
    async fn sweep_until_ended(&self) -> Vec<String> {
        let bound = Duration::from_millis(TROUBLE_MS) + RECOVERY;
        loop {
            let unfinished = self.sweep().await;
            let trouble_is_over = self.begin.elapsed() > Duration::from_millis(TROUBLE_MS);
            let all_are_sent = self.answered.lock().unwrap().len() == self.plan.transfers.len();
            if trouble_is_over && all_are_sent && unfinished.is_empty()
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
        live.filter_map(|item| text(item, "transferId")).collect()
    }
}

pub(crate) fn email(tag: &str, person: usize) -> String {
    format!("p{person}-{tag}@docferry.example")
}

fn name(tag: &str, number: usize) -> String {
    format!("{tag}-{number:02}.pdf")
}

/// Restricts faults to subjects that contain this text.
fn matching(faults: &[Value], part: &str) -> Vec<Value> {
    let with_match = |fault: &Value| {
        let mut fault = fault.clone();
        fault["match"] = part.into();
        fault
    };
    faults.iter().map(with_match).collect()
}
