//! Load tests: two hundred concurrent downloads of twenty people. They run alone, because
//! they take the slots of all other tests.

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
/// Slots of the pool, the template's default.
const POOL_SLOTS: usize = 5;
/// Slots per person, the template's default.
const SLOTS_PER_PERSON: usize = 3;
/// Size of each document in bytes.
const DOCUMENT_SIZE: u64 = 2000;
/// Maximum time until all jobs have ended.
const END_TIMEOUT: Duration = Duration::from_secs(500);

/// Upper bound for the delay between the time in a record and the moment at which other
/// processes see the change: the place in the queue, or the released slot.
const VISIBILITY_DELAY: SignedDuration = SignedDuration::from_secs(5);

/// Polls of the slots between two sweeps, which is about three seconds.
const POLLS_PER_SWEEP: usize = 30;

/// Functions whose processes are killed while the jobs run.
const KILLED_FUNCTIONS: [&str; 6] = ["push", "poll", "publish", "publish", "finalize", "sweep"];

/// Documents and persons for one load test.
struct Load {
    sandbox: Sandbox,
    /// One client for each person.
    people: Vec<Api>,
    /// Number of the first document in the index; the others follow.
    first_file_id: u64,
}

impl Load {
    /// Creates the persons and documents.
    async fn prepare() -> Self {
        let sandbox = Sandbox::new().await;
        let identity = Identity::new(&sandbox.stack);
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let subject = format!("{}-{n}", sandbox.tag);
            let token = identity.token_of(&subject, "docferry.read docferry.write").await;
            people.push(sandbox.api.with_token(&token));
        }
        let first_file_id = fastrand::u64(1_000_000..90_000_000);
        for n in 0..(PEOPLE * JOBS_PER_PERSON) {
            let single = sandbox.with_suffix(&format!("{n:03}"));
            let document = single.document(DOCUMENT_SIZE).await;
            sandbox.cloud.index_document(first_file_id + n as u64, &document.guid).await;
        }
        Self { sandbox, people, first_file_id }
    }

    /// Creates all jobs concurrently, each with its person's token. Returns the ids.
    async fn initiate_all(&self) -> Vec<TransferId> {
        let requests = (0..PEOPLE * JOBS_PER_PERSON).map(async |n| {
            let priority = ["low", "normal", "normal", "high"][n % 4];
            let body = json!({
                "file_id": self.first_file_id + n as u64,
                "priority": priority,
                "clientRequestId": format!("{}-{n}", self.sandbox.tag),
            })
            .to_string();
            let api = &self.people[n % PEOPLE];
            let accepted = eventually("the job is accepted", END_TIMEOUT, async || {
                let answer = api.request(Method::POST, "/v1/download/initiate", Some(&body)).await;
                // Repeats the request if the gateway throttles it or the function was
                // killed. `clientRequestId` makes that idempotent.
                (answer.status == StatusCode::ACCEPTED).then_some(answer)
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
        let reading = ids.iter().map(async |id| store.get(id).await.unwrap().unwrap());
        futures::future::join_all(reading).await
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
            // Transfers of killed processes are recovered by the sweeper, which runs once a
            // minute; here it runs more often.
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

/// Returns violations of the queue order: transfers that got a slot before another one that
/// was ahead in the queue and whose person was below the limit.
fn queue_order_violations(records: &[Transfer]) -> Vec<String> {
    let slot_granted_at = |transfer: &Transfer| transfer.slot_granted_at.unwrap();
    let mut violations = Vec::new();
    for earlier in records {
        let at = slot_granted_at(earlier);
        for skipped in records.iter().filter(|other| slot_granted_at(other) > at) {
            let was_ahead = skipped.queue_entry().order < earlier.queue_entry().order;
            let was_queued = skipped.created_at + VISIBILITY_DELAY < at;
            if !was_ahead || !was_queued {
                continue;
            }
            let person = skipped.queue_entry().person;
            let held_slot = |transfer: &&Transfer| {
                // The end may have been recorded, but the released slot was not yet visible
                // to the process that granted a slot to `earlier`.
                let released_at = transfer.ended_at.map(|ended| ended + VISIBILITY_DELAY);
                slot_granted_at(transfer) <= at && released_at.is_none_or(|released| released >= at)
            };
            let of_person = records.iter().filter(|other| other.queue_entry().person == person);
            let held = of_person.filter(held_slot).count();
            if held < SLOTS_PER_PERSON {
                let delay = slot_granted_at(skipped).duration_since(at);
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

    let last_admitted_at = |priority| {
        let transfers = records.iter().filter(|transfer| transfer.priority == priority);
        transfers.map(|transfer| transfer.slot_granted_at.unwrap()).max().unwrap()
    };
    let (high, low) = (last_admitted_at(Priority::High), last_admitted_at(Priority::Low));
    assert!(high < low, "high priority goes first");

    let store = cloud.store();
    assert!(store.slots(Pool::Download).await.unwrap().holders.is_empty());
    assert!(store.queue(Pool::Download, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_hundred_jobs_survive_the_killing_of_processes() {
    let load = Load::prepare().await;
    let is_over = AtomicBool::new(false);
    let emulator = load.sandbox.stack.emulator_pid.unwrap();
    let killing = async {
        let (mut seen, mut killed) = (BTreeSet::new(), BTreeSet::new());
        for function in KILLED_FUNCTIONS.iter().cycle() {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            for process in processes_of(emulator, &load.sandbox.stack.functions[*function]) {
                seen.insert(process);
                // Kills a third of all processes seen so far. The emulator may not have
                // noticed yet that a process was killed, so each is killed once.
                if killed.len() * 3 < seen.len() && killed.insert(process) {
                    kill(process);
                }
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        (seen.len(), killed.len())
    };
    let working = async {
        let ids = load.initiate_all().await;
        let records = load.wait_for_end_within_limits(&ids).await;
        is_over.store(true, Ordering::Relaxed);
        records
    };
    let ((seen, killed), records) = futures::join!(killing, working);
    println!("{killed} of {seen} processes killed");
    assert!(killed * 3 + 3 >= seen && killed >= KILLED_FUNCTIONS.len(), "{killed} of {seen}");

    let mut failed = Vec::new();
    for record in records.iter().filter(|record| record.delivery.is_none()) {
        let (id, execution_number) = (record.transfer_id.as_str(), record.execution_number);
        let history = load.sandbox.cloud.history_of(id, execution_number).await;
        let errors = history.as_ref().map(History::errors).map(|errors| errors.join(", "));
        failed.push(format!("{id}-{execution_number}: {:?} after {errors:?}", record.failure));
    }
    assert_eq!(failed, Vec::<String>::new());
}
