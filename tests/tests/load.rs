//! Two hundred downloads at once, of twenty people. Alone: they take the slots of
//! everybody.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; figures are printed"
)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use docferry_app::ports::SlotStore as _;
use docferry_domain::{Person, Pool, Priority, Transfer, TransferId};
use docferry_system_tests::{Api, History, Identity, Sandbox, eventually, kill, processes_of};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

const PEOPLE: usize = 20;
const JOBS_EACH: usize = 10;
/// The template's own.
const ACTIVE: usize = 5;
const PER_PERSON: usize = 3;
const BOUND: Duration = Duration::from_secs(500);

/// Longer than it takes from the time that a record bears until others see it: its place
/// in the queue, or that its slot is free.
const BEING_RECORDED: SignedDuration = SignedDuration::from_secs(5);

/// With the pauses between, about once in three seconds.
const LOOKS_A_SWEEP: usize = 30;

/// Who is killed while the jobs run.
const VICTIMS: [&str; 6] = ["push", "poll", "publish", "publish", "finalize", "sweep"];

struct Load {
    sandbox: Sandbox,
    people: Vec<Api>,
    file: u64,
}

impl Load {
    async fn prepare() -> Self {
        let sandbox = Sandbox::new().await;
        let identity = Identity::new(&sandbox.stack);
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let subject = format!("{}-{n}", sandbox.tag);
            let token = identity.token_of(&subject, "docferry.read docferry.write").await;
            people.push(sandbox.api.with_token(&token));
        }
        let file = fastrand::u64(1_000_000..90_000_000);
        for n in 0..(PEOPLE * JOBS_EACH) {
            let name = format!("{}-{n:03}.pdf", sandbox.tag);
            let one = Sandbox { file_name: name, ..sandbox.another_document() };
            let document = one.document(2000).await;
            sandbox.cloud.index(file + n as u64, &document.guid).await;
        }
        Self { sandbox, people, file }
    }

    /// Asks for all at once, each person for its own; the ids.
    async fn ask(&self) -> Vec<TransferId> {
        let asking = (0..PEOPLE * JOBS_EACH).map(async |n| {
            let priority = ["low", "normal", "normal", "high"][n % 4];
            let body = json!({
                "file_id": self.file + n as u64,
                "priority": priority,
                "clientRequestId": format!("{}-{n}", self.sandbox.tag),
            })
            .to_string();
            let api = &self.people[n % PEOPLE];
            let accepted = eventually("the job is taken", BOUND, async || {
                let answer = api.request(Method::POST, "/v1/download/initiate", Some(&body)).await;
                // Turned away by the gateway, or whoever was asked has been killed: the
                // same request again, under its name.
                (answer.status == StatusCode::ACCEPTED).then_some(answer)
            })
            .await;
            accepted.json()["jobId"].as_str().unwrap().parse().unwrap()
        });
        futures::future::join_all(asking).await
    }

    /// The records of these jobs.
    async fn records(&self, ids: &[TransferId]) -> Vec<Transfer> {
        use docferry_app::ports::TransferStore as _;
        let store = self.sandbox.cloud.store();
        let reading = ids.iter().map(async |id| store.get(id).await.unwrap().unwrap());
        futures::future::join_all(reading).await
    }

    /// Looks again and again who holds a slot, until all have ended.
    async fn watch(&self, ids: &[TransferId]) -> Vec<Transfer> {
        let store = self.sandbox.cloud.store();
        let (most, looks) = (Cell::new(0), Cell::new(0_usize));
        let records = eventually("all jobs end", BOUND, async || {
            let slots = store.slots(Pool::Download).await.unwrap();
            assert!(slots.holders.len() <= ACTIVE, "{} hold a slot", slots.holders.len());
            let mut by_person = BTreeMap::<&Person, usize>::new();
            for person in slots.holders.values() {
                *by_person.entry(person).or_default() += 1;
            }
            assert!(by_person.values().all(|held| *held <= PER_PERSON), "{by_person:?}");
            most.set(most.get().max(slots.holders.len()));
            // What hangs in a process that was killed is looked after once a minute; here
            // more often.
            if looks.replace(looks.get() + 1) % LOOKS_A_SWEEP == 0 {
                self.sandbox.cloud.make_due().await;
                let _swept = self.sandbox.cloud.invoke("sweep", &json!({})).await;
            }
            // Two hundred records are not read while somebody works or waits.
            let waiting = store.queue(Pool::Download, None, 1).await.unwrap();
            if !(slots.holders.is_empty() && waiting.is_empty()) {
                return None;
            }
            let records = self.records(ids).await;
            records.iter().all(|transfer| transfer.phase.is_terminal()).then_some(records)
        })
        .await;
        assert_eq!(most.get(), ACTIVE, "all slots are used");
        records
    }
}

/// Whoever was admitted before another that stood before it in the queue, though the
/// other's person had a slot to spare.
fn skipped_without_reason(records: &[Transfer]) -> Vec<String> {
    let admitted = |transfer: &Transfer| transfer.admitted_at.unwrap();
    let mut wrong = Vec::new();
    for first in records {
        let at = admitted(first);
        for later in records.iter().filter(|later| admitted(later) > at) {
            let stood_before = later.waiting().order < first.waiting().order;
            let was_there = later.created_at + BEING_RECORDED < at;
            if !stood_before || !was_there {
                continue;
            }
            let person = later.waiting().person;
            let had_a_slot = |of: &&Transfer| {
                // Its end may have been on its way into the record: then its slot was
                // not seen to be free, and whoever gave it back gave it to this person.
                let ended = of.ended_at.map(|ended| ended + BEING_RECORDED);
                admitted(of) <= at && ended.is_none_or(|ended| ended >= at)
            };
            let of_person = records.iter().filter(|other| other.waiting().person == person);
            let had = of_person.filter(had_a_slot).count();
            if had < PER_PERSON {
                let late = admitted(later).duration_since(at);
                wrong.push(format!(
                    "{} went {late:?} before {}, whose person had {had}",
                    first.transfer_id, later.transfer_id
                ));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn two_hundred_jobs_of_twenty_people_keep_the_limits_and_the_order() {
    let load = Load::prepare().await;
    let pool = &load.sandbox.cloud;
    // Until all are in the queue nobody goes.
    pool.hold_slots(Pool::Download, ACTIVE).await;
    let ids = load.ask().await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), PEOPLE * JOBS_EACH);
    pool.give_slots_back(Pool::Download, ACTIVE).await;
    let records = load.watch(&ids).await;
    let completed = records.iter().filter(|transfer| transfer.delivery.is_some()).count();
    assert_eq!(completed, ids.len(), "none is lost");
    assert_eq!(skipped_without_reason(&records), Vec::<String>::new());
    let waits = |priority| {
        let of = records.iter().filter(|transfer| transfer.priority == priority);
        of.map(|transfer| transfer.admitted_at.unwrap()).max().unwrap()
    };
    assert!(waits(Priority::High) < waits(Priority::Low), "who is urgent goes first");
    let store = pool.store();
    assert!(store.slots(Pool::Download).await.unwrap().holders.is_empty());
    assert!(store.queue(Pool::Download, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_hundred_jobs_are_all_delivered_though_a_third_of_the_processes_is_killed() {
    let load = Load::prepare().await;
    let is_over = AtomicBool::new(false);
    let emulator = load.sandbox.stack.emulator_pid.unwrap();
    let killing = async {
        let (mut seen, mut killed) = (BTreeSet::new(), BTreeSet::new());
        for victim in VICTIMS.iter().cycle() {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            for process in processes_of(emulator, &load.sandbox.stack.functions[*victim]) {
                seen.insert(process);
                // A third of all that were ever seen; the emulator may not have noticed yet.
                if killed.len() * 3 < seen.len() && killed.insert(process) {
                    kill(process);
                }
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        (seen.len(), killed.len())
    };
    let working = async {
        let ids = load.ask().await;
        let records = load.watch(&ids).await;
        is_over.store(true, Ordering::Relaxed);
        records
    };
    let ((seen, killed), records) = futures::join!(killing, working);
    println!("{killed} of {seen} processes killed");
    assert!(killed * 3 + 3 >= seen && killed >= VICTIMS.len(), "{killed} of {seen}");
    let mut failed = Vec::new();
    for record in records.iter().filter(|record| record.delivery.is_none()) {
        let (id, attempt) = (record.transfer_id.as_str(), record.attempt);
        let history = load.sandbox.cloud.history_of(id, attempt).await;
        let errors = history.as_ref().map(History::errors).map(|errors| errors.join(", "));
        failed.push(format!("{id}-{attempt}: {:?} after {errors:?}", record.failure));
    }
    assert_eq!(failed, Vec::<String>::new());
}
