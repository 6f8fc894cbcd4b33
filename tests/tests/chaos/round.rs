//! A round, played: transfers are sent, and everything goes wrong that was planned.

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

/// How long the last transfer may take after everything has gone wrong.
const RECOVERY: Duration = Duration::from_secs(180);

/// Steps are repeated, and transfers stopped, among so many that were sent last: most
/// others have ended.
const LATEST: usize = 10;

/// Of a request to OneDrive, so that there is a middle to be killed in.
const BYTES_PER_SECOND: u64 = 3 * MIB;

/// What became of a plan.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) sandbox: Sandbox,
    pub(crate) documents: Vec<Document>,
    begin: Instant,
    /// Transfers that the API has answered with.
    pub(crate) answered: Mutex<Vec<String>>,
    /// Those of them that somebody asked to stop.
    pub(crate) stopped: Mutex<Vec<String>>,
    /// Those whose executions were ended from outside, and when, in milliseconds since
    /// 1970.
    pub(crate) aborted: Mutex<Vec<(String, i64)>>,
    pub(crate) kills: AtomicUsize,
    pub(crate) duplicates: AtomicUsize,
}

pub(crate) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(crate) fn attempt_of(record: &Item) -> u32 {
    record["attempt"].as_n().unwrap().parse().unwrap()
}

impl Round {
    /// Puts documents, people and faults where they belong.
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
            // Of whichever try the service takes.
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

    /// Plays the round until every transfer has ended; returns those that have not.
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

    /// Asks until it is taken, as SCV does. A request whose answer was lost may have
    /// made a transfer: each has a folder of its own.
    async fn send(&self, number: usize) {
        let PlannedTransfer { at, document, person, .. } = &self.plan.transfers[number];
        self.until(*at).await;
        let tag = &self.sandbox.tag;
        for again in 0_u32.. {
            let body = json!({
                "objGuid": self.documents[*document].guid,
                "email": email(tag, *person),
                "filePath": format!("{tag}/{number:02}-{again}"),
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
        let emulator = stack.emulator_pid.expect("the emulator is not ours to look into");
        for (at, function) in &self.plan.kills {
            self.until(*at).await;
            // All of them: which are at work is not to be seen from outside.
            let processes = processes_of(emulator, &stack.functions[*function]);
            self.kills.fetch_add(processes.len(), Ordering::Relaxed);
            processes.into_iter().for_each(kill);
        }
    }

    /// Invokes steps again that the workflow has invoked before: queues and workflows
    /// deliver at least once, and a time-out does not tell whether its task ran on.
    async fn duplicate_all(&self) {
        let mut calls = JoinSet::new();
        for (at, which, step) in &self.plan.duplicates {
            self.until(*at).await;
            let Some(id) = self.one_of_the_answered(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let been: &[&str] = match text(&record, "phase").as_deref() {
                Some("accepted") => continue,
                Some("pushing") => &["push"],
                Some("awaiting_arrival") => &["push", "poll"],
                Some("uploading") => &["push", "poll", "upload"],
                _ => &["push", "poll", "upload", "finalize"],
            };
            let function = been[step % been.len()];
            let attempt = attempt_of(&record);
            let cloud = self.sandbox.cloud.clone();
            self.duplicates.fetch_add(1, Ordering::Relaxed);
            calls.spawn(async move {
                // What it answers, nobody reads.
                let task = json!({ "transferId": id, "attempt": attempt });
                let _ = cloud.invoke(function, &task).await;
            });
        }
        while calls.join_next().await.is_some() {}
    }

    async fn terminate_all(&self) {
        for (at, which) in &self.plan.terminates {
            self.until(*at).await;
            let Some(id) = self.one_of_the_answered(*which) else { continue };
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

    /// Ends executions from outside, as an operator may or a limit of the service does;
    /// what they run goes on without them.
    async fn abort_all(&self) {
        for (at, which) in &self.plan.aborts {
            self.until(*at).await;
            let Some(id) = self.one_of_the_answered(*which) else { continue };
            let Some(record) = self.sandbox.cloud.record(&id).await else { continue };
            let is_live = !record.contains_key("endedAt") && record.contains_key("startedAt");
            if !is_live {
                continue;
            }
            let stopped = self.sandbox.cloud.stop_execution(&id, attempt_of(&record)).await;
            self.aborted.lock().unwrap().extend(stopped.map(|when| (id, when)));
        }
    }

    /// The file name of a document, which is its exchange key.
    pub(crate) fn name_of(&self, document: usize) -> String {
        name(&self.sandbox.tag, self.plan.documents[document].name)
    }

    fn one_of_the_answered(&self, which: usize) -> Option<String> {
        let answered = self.answered.lock().unwrap();
        let latest = &answered[answered.len().saturating_sub(LATEST)..];
        (!latest.is_empty()).then(|| latest[which % latest.len()].clone())
    }

    /// Invokes `sweep` every other second and makes everything due for it. It would
    /// come by itself: each minute, for transfers of 90 s and more; so what is
    /// shortened is waiting, and the sweep meets the transfers in more states.
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

    /// Sweeps; returns the transfers that had not ended before.
    pub(crate) async fn sweep(&self) -> Vec<String> {
        let standing = self.sandbox.cloud.make_due().await;
        // It may be killed like everybody else.
        let _ =
            timeout(Duration::from_secs(60), self.sandbox.cloud.invoke("sweep", &json!({}))).await;
        let live = standing.iter().filter(|item| !item.contains_key("endedAt"));
        live.filter_map(|item| text(item, "transferId")).collect()
    }
}

pub(crate) fn email(tag: &str, person: usize) -> String {
    format!("p{person}-{tag}@docferry.example")
}

fn name(tag: &str, number: usize) -> String {
    format!("{tag}-{number:02}.pdf")
}

fn matching(faults: &[Value], part: &str) -> Vec<Value> {
    let of_it = |fault: &Value| {
        let mut fault = fault.clone();
        fault["match"] = part.into();
        fault
    };
    faults.iter().map(of_it).collect()
}
