//! Load tests of the deployed system: twenty persons request two hundred downloads at the same
//! time. A download needs a slot, the right to move bytes; slots are limited in total and per
//! person, and waiting downloads are queued by priority. The load tests run alone, because they
//! use all slots.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test helpers; results are printed")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use docferry_app::ports::SlotStore as _;
use docferry_domain::ids::TransferId;
use docferry_domain::person::Person;
use docferry_domain::slots::{Pool, Priority};
use docferry_domain::transfer::Transfer;
use docferry_system_tests::{Api, History, Identity, Sandbox, eventually, kill, processes_of};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Number of persons who request jobs.
const PEOPLE: usize = 20;
/// Number of jobs that each person requests.
const JOBS_PER_PERSON: usize = 10;
/// Number of slots of all persons together, the default in `template.yaml`.
const POOL_SLOTS: usize = 5;
/// Number of slots per person, the default in `template.yaml`.
const SLOTS_PER_PERSON: usize = 3;
/// Size of each document in bytes.
const DOCUMENT_SIZE: u64 = 2000;
/// Maximum time until all jobs have ended.
const END_TIMEOUT: Duration = Duration::from_secs(500);

/// Upper bound for the delay after which other processes see a change of the slots or the queue.
/// The delay starts at the time that the transfer's record contains.
const VISIBILITY_DELAY: SignedDuration = SignedDuration::from_secs(5);

/// Number of polls of the slots between two sweeps. They take about three seconds.
const POLLS_PER_SWEEP: usize = 30;

/// Functions whose processes are killed while the jobs run.
const KILLED_FUNCTIONS: [&str; 6] = ["push", "poll", "publish", "publish", "finalize", "sweep"];

/// Documents and persons for one load test.
struct Load {
    sandbox: Sandbox,
    /// One client for each person.
    people: Vec<Api>,
    /// Document number of the first document. The other documents have the following numbers.
    first_file_id: u64,
}

impl Load {
    /// Creates the persons and documents.
    async fn prepare() -> Self {
        let sandbox = Sandbox::new().await;
        let identity = Identity::new(&sandbox.stack);
        let mut people = Vec::new();
        for person_number in 0..PEOPLE {
            let subject = format!("{}-{person_number}", sandbox.tag);
            let token = identity
                .token_of(&subject, "docferry.read docferry.write docferry.documents")
                .await;
            people.push(sandbox.api.with_token(&token));
        }
        let first_file_id = fastrand::u64(1_000_000..90_000_000);
        for job_number in 0..(PEOPLE * JOBS_PER_PERSON) {
            let document_sandbox = sandbox.with_suffix(&format!("{job_number:03}"));
            let document = document_sandbox.document(DOCUMENT_SIZE).await;
            let file_id = first_file_id + job_number as u64;
            sandbox.cloud.index_document(file_id, &document.guid).await;
        }
        Self { sandbox, people, first_file_id }
    }

    /// Creates all jobs concurrently, each with its person's token. Returns the ids.
    async fn initiate_all(&self) -> Vec<TransferId> {
        let requests = (0..PEOPLE * JOBS_PER_PERSON).map(async |job_number| {
            let priority = ["low", "normal", "normal", "high"][job_number % 4];
            let body = json!({
                "file_id": self.first_file_id + job_number as u64,
                "priority": priority,
                "clientRequestId": format!("{}-{job_number}", self.sandbox.tag),
            })
            .to_string();
            let api = &self.people[job_number % PEOPLE];
            let accepted = eventually("the job is accepted", END_TIMEOUT, async || {
                let response =
                    api.request(Method::POST, "/v1/download/initiate", Some(&body)).await;
                // Repeats the request if the gateway throttles it or the function was killed.
                // The repetition creates no second job, because `clientRequestId` is the same.
                (response.status == StatusCode::ACCEPTED).then_some(response)
            })
            .await;
            accepted.json()["jobId"].as_str().unwrap().parse().unwrap()
        });
        futures::future::join_all(requests).await
    }

    /// Reads the records of these jobs.
    async fn records(&self, ids: &[TransferId]) -> Vec<Transfer> {
        use docferry_app::ports::TransferStore as _;
        let store = self.sandbox.cloud.store();
        let reads = ids.iter().map(async |id| store.get(id).await.unwrap().unwrap());
        futures::future::join_all(reads).await
    }

    /// Checks the slot limits repeatedly until all jobs have ended. Returns their records.
    async fn wait_for_end_within_limits(&self, ids: &[TransferId]) -> Vec<Transfer> {
        let store = self.sandbox.cloud.store();
        let (max_held, polls) = (Cell::new(0), Cell::new(0_usize));
        let records = eventually("all jobs end", END_TIMEOUT, async || {
            let slots = store.slots(Pool::Download).await.unwrap();
            assert!(slots.holders.len() <= POOL_SLOTS, "{} hold a slot", slots.holders.len());
            let mut by_person = BTreeMap::<&Person, usize>::new();
            for person in slots.holders.values() {
                *by_person.entry(person).or_default() += 1;
            }
            assert!(by_person.values().all(|held| *held <= SLOTS_PER_PERSON), "{by_person:?}");
            max_held.set(max_held.get().max(slots.holders.len()));
            // The sweeper recovers transfers of killed processes. In production it runs once a
            // minute; more frequent sweeps shorten the test.
            if polls.replace(polls.get() + 1) % POLLS_PER_SWEEP == 0 {
                self.sandbox.cloud.make_due().await;
                let _ignored = self.sandbox.cloud.invoke("sweep", &json!({})).await;
            }
            // Reads the two hundred records only when no job holds a slot or waits.
            let waiting = store.queue(Pool::Download, None, 1).await.unwrap();
            if !(slots.holders.is_empty() && waiting.is_empty()) {
                return None;
            }
            let records = self.records(ids).await;
            records.iter().all(|transfer| transfer.phase.is_terminal()).then_some(records)
        })
        .await;
        assert_eq!(max_held.get(), POOL_SLOTS, "all slots are used");
        records
    }
}

/// Returns violations of the queue order. A transfer may get a slot before another transfer that
/// was ahead of it in the queue only if the person of the skipped transfer held all slots that a
/// person may hold.
fn queue_order_violations(records: &[Transfer]) -> Vec<String> {
    let slot_granted_at = |transfer: &Transfer| transfer.slot_granted_at.unwrap();
    let mut violations = Vec::new();
    for earlier in records {
        let granted_at = slot_granted_at(earlier);
        for skipped in records.iter().filter(|other| slot_granted_at(other) > granted_at) {
            let was_ahead = skipped.queue_entry().order < earlier.queue_entry().order;
            let was_queued = skipped.created_at + VISIBILITY_DELAY < granted_at;
            if !was_ahead || !was_queued {
                continue;
            }
            let person = skipped.queue_entry().person;
            let held_slot = |transfer: &&Transfer| {
                // A released slot is visible to the process that granted a slot to `earlier`
                // only after the delay.
                let released_at = transfer.ended_at.map(|ended| ended + VISIBILITY_DELAY);
                slot_granted_at(transfer) <= granted_at
                    && released_at.is_none_or(|released_at| released_at >= granted_at)
            };
            let of_person = records.iter().filter(|other| other.queue_entry().person == person);
            let held = of_person.filter(held_slot).count();
            if held < SLOTS_PER_PERSON {
                let delay = slot_granted_at(skipped).duration_since(granted_at);
                violations.push(format!(
                    "{} got a slot {delay:?} before {}, whose person held {held}",
                    earlier.transfer_id, skipped.transfer_id
                ));
            }
        }
    }
    violations
}

#[tokio::test]
async fn two_hundred_jobs_respect_slot_limits_and_queue_order() {
    let load = Load::prepare().await;
    let cloud = &load.sandbox.cloud;
    // No job gets a slot until all are queued.
    cloud.hold_slots(Pool::Download, POOL_SLOTS).await;
    let ids = load.initiate_all().await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), PEOPLE * JOBS_PER_PERSON);

    cloud.release_held_slots(Pool::Download, POOL_SLOTS).await;
    let records = load.wait_for_end_within_limits(&ids).await;
    let completed = records.iter().filter(|transfer| transfer.delivery.is_some()).count();
    assert_eq!(completed, ids.len(), "all jobs are delivered");
    assert_eq!(queue_order_violations(&records), Vec::<String>::new());

    let last_grant_time = |priority| {
        let transfers = records.iter().filter(|transfer| transfer.priority == priority);
        transfers.map(|transfer| transfer.slot_granted_at.unwrap()).max().unwrap()
    };
    let last_high_priority_grant = last_grant_time(Priority::High);
    let last_low_priority_grant = last_grant_time(Priority::Low);
    assert!(last_high_priority_grant < last_low_priority_grant, "high priority goes first");

    let store = cloud.store();
    assert!(store.slots(Pool::Download).await.unwrap().holders.is_empty());
    assert!(store.queue(Pool::Download, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_hundred_jobs_complete_although_processes_are_killed() {
    let load = Load::prepare().await;
    let jobs_have_ended = AtomicBool::new(false);
    let emulator = load.sandbox.stack.emulator_pid.unwrap();
    let killing = async {
        let (mut seen, mut killed) = (BTreeSet::new(), BTreeSet::new());
        for function in KILLED_FUNCTIONS.iter().cycle() {
            if jobs_have_ended.load(Ordering::Relaxed) {
                break;
            }
            for process in processes_of(emulator, &load.sandbox.stack.functions[*function]) {
                seen.insert(process);
                // Kills a third of the processes that were seen so far. A killed process may
                // still be listed, so `killed` also prevents killing it twice.
                if killed.len() * 3 < seen.len() && killed.insert(process) {
                    kill(process);
                }
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        (seen.len(), killed.len())
    };
    let running_jobs = async {
        let ids = load.initiate_all().await;
        let records = load.wait_for_end_within_limits(&ids).await;
        jobs_have_ended.store(true, Ordering::Relaxed);
        records
    };
    let ((seen_count, killed_count), records) = futures::join!(killing, running_jobs);
    println!("{killed_count} of {seen_count} processes killed");
    // The killing stops when the jobs have ended, so one kill may be missing.
    assert!((killed_count + 1) * 3 >= seen_count, "{killed_count} of {seen_count}");
    assert!(killed_count >= KILLED_FUNCTIONS.len(), "{killed_count} of {seen_count}");

    let mut failed = Vec::new();
    for record in records.iter().filter(|record| record.delivery.is_none()) {
        let (id, execution_number) = (record.transfer_id.as_str(), record.execution_number);
        let history = load.sandbox.cloud.history_of(id, execution_number).await;
        let errors = history.as_ref().map(History::errors).map(|errors| errors.join(", "));
        failed.push(format!("{id}-{execution_number}: {:?} after {errors:?}", record.failure));
    }
    assert_eq!(failed, Vec::<String>::new());
}
