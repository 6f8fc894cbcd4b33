//! Plan of a round. All random decisions are made from the seed before the round starts.

use std::time::Duration;

use docferry_system_tests::MIB;
use fastrand::Rng;
use serde_json::{Value, json};

/// Number of transfers per round.
pub(crate) const TRANSFER_COUNT: usize = 40;
/// Number of documents per round; several transfers share one.
const DOCUMENTS: usize = 15;
/// Number of documents that share the file name, and so the exchange key, of the first one.
/// The second one has the same size, too.
const EQUAL_NAMES: usize = 3;
/// Number of recipients per round.
pub(crate) const RECIPIENTS: usize = 8;

/// Duration of the faults. Transfers are requested in the first two thirds.
pub(crate) const FAULT_PERIOD_MS: u64 = 20_000;
const SENDING_MS: u64 = FAULT_PERIOD_MS * 2 / 3;

/// Functions whose processes are killed. Busier functions are listed more often.
const VICTIMS: [&str; 16] = [
    "upload",
    "upload",
    "upload",
    "upload",
    "finalize",
    "finalize",
    "push",
    "push",
    "poll",
    "poll",
    "initiate",
    "control",
    "status",
    "authorizer",
    "sweep",
    "notify",
];

/// Plan of one round. All times are relative to its start.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) documents: Vec<PlannedDocument>,
    pub(crate) transfers: Vec<PlannedTransfer>,
    /// Functions whose processes are killed, and when.
    pub(crate) kills: Vec<(Duration, &'static str)>,
    /// Steps that are invoked again, and when. The numbers select one of the latest
    /// transfers and one of its steps.
    pub(crate) duplicates: Vec<(Duration, usize, usize)>,
    /// Cancel requests. The number selects one of the latest transfers.
    pub(crate) terminates: Vec<(Duration, usize)>,
    /// Executions that are stopped from outside. The number selects one of the latest
    /// transfers.
    pub(crate) aborts: Vec<(Duration, usize)>,
}

/// A document and the faults of its source.
#[derive(Debug)]
pub(crate) struct PlannedDocument {
    /// Number of the file name; documents with the same number share a name.
    pub(crate) name: usize,
    /// Size in bytes.
    pub(crate) size: u64,
    pub(crate) mover_delay_ms: u64,
    pub(crate) faults: Vec<Value>,
}

/// A transfer and the faults of its destination.
#[derive(Debug)]
pub(crate) struct PlannedTransfer {
    /// Time of the request.
    pub(crate) at: Duration,
    /// Index of the document.
    pub(crate) document: usize,
    /// Index of the recipient.
    pub(crate) person: usize,
    pub(crate) faults: Vec<Value>,
}

impl Plan {
    /// Creates the plan of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut documents: Vec<_> =
            (0..DOCUMENTS).map(|name| random_document(&mut rng, name)).collect();
        for equal in &mut documents[..EQUAL_NAMES] {
            equal.name = 0;
        }
        documents[1].size = documents[0].size;
        let transfer = |_| {
            let document = rng.usize(..DOCUMENTS);
            PlannedTransfer {
                at: random_time(&mut rng, SENDING_MS),
                document,
                person: rng.usize(..RECIPIENTS),
                faults: random_destination_faults(&mut rng, documents[document].size),
            }
        };
        let transfers = (0..TRANSFER_COUNT).map(transfer).collect();
        let mut kills = Vec::new();
        let mut now = 0;
        while now < FAULT_PERIOD_MS {
            now += rng.u64(100..900);
            kills.push((Duration::from_millis(now), VICTIMS[rng.usize(..VICTIMS.len())]));
        }
        let mut duplicates: Vec<_> = (0..25)
            .map(|_| {
                (
                    random_time(&mut rng, FAULT_PERIOD_MS),
                    rng.usize(..TRANSFER_COUNT),
                    rng.usize(..64),
                )
            })
            .collect();
        duplicates.sort_unstable();
        let terminates = random_times(&mut rng, 5);
        let aborts = random_times(&mut rng, 8);
        Self { documents, transfers, kills, duplicates, terminates, aborts }
    }
}

/// Returns `count` random times, each with a number that selects a transfer.
fn random_times(rng: &mut Rng, count: usize) -> Vec<(Duration, usize)> {
    let mut random_times: Vec<_> = (0..count)
        .map(|_| (random_time(rng, FAULT_PERIOD_MS), rng.usize(..TRANSFER_COUNT)))
        .collect();
    random_times.sort_unstable();
    random_times
}

/// Returns a random time before `until` milliseconds.
fn random_time(rng: &mut Rng, until: u64) -> Duration {
    Duration::from_millis(rng.u64(..until))
}

fn random_document(rng: &mut Rng, name: usize) -> PlannedDocument {
    let size = match rng.u8(..8) {
        0 => 0,
        1 => rng.u64(1..1000),
        2..=4 => rng.u64(1000..2 * MIB),
        5 | 6 => rng.u64(2 * MIB..9 * MIB),
        // Larger than one fragment.
        _ => rng.u64(10 * MIB..22 * MIB),
    };
    let faults = (0..rng.usize(..3)).map(|_| random_source_fault(rng, size)).collect();
    PlannedDocument { name, size, mover_delay_ms: rng.u64(50..3000), faults }
}

fn random_source_fault(rng: &mut Rng, size: u64) -> Value {
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let mut fault = match rng.u8(..8) {
        0 => json!({ "operation": "push", "status": 503, "count": 2 }),
        1 => json!({ "operation": "push", "dropResponse": true }),
        2 => {
            json!({ "operation": "push", "status": 200, "body": html, "contentType": "text/html" })
        }
        3 => json!({ "operation": "push", "delayMs": 2000 }),
        4 | 5 => json!({ "operation": "move", "delayMs": rng.u64(1000..6000) }),
        // Only for more than one byte: otherwise the part would be the whole document, and one
        // push would arrive twice.
        6 if size > 1 => json!({ "operation": "move", "storeFraction": 0.5, "delayMs": 3000 }),
        _ => json!({ "operation": "move", "never": true }),
    };
    fault["position"] = rng.u64(1..4).into();
    fault
}

fn random_destination_faults(rng: &mut Rng, size: u64) -> Vec<Value> {
    if size == 0 {
        return match rng.u8(..3) {
            0 => vec![json!({ "operation": "simplePut", "dropResponse": true })],
            1 => vec![json!({ "operation": "simplePut", "status": 500 })],
            _ => Vec::new(),
        };
    }
    (0..rng.usize(..4)).map(|_| random_destination_fault(rng)).collect()
}

fn random_destination_fault(rng: &mut Rng) -> Value {
    let of_fragments = |mut fault: Value, position: u64| {
        fault["operation"] = "fragment".into();
        fault["position"] = position.into();
        fault
    };
    let nth = rng.u64(1..4);
    match rng.u8(..15) {
        0 => json!({ "operation": "createSession", "dropResponse": true }),
        1 => json!({ "operation": "createSession", "status": 500 }),
        2 => json!({ "operation": "createSession", "status": 429, "retryAfter": 1 }),
        3 => of_fragments(json!({ "status": 500 }), nth),
        4 => of_fragments(json!({ "status": 500, "storeFraction": 1 }), nth),
        5 => of_fragments(json!({ "status": 503, "storeFraction": 0.4 }), nth),
        6 => of_fragments(json!({ "dropResponse": true }), nth),
        7 => of_fragments(json!({ "status": 429, "retryAfter": rng.u8(1..13) }), nth),
        8 => of_fragments(json!({ "expireSession": true }), nth),
        9 => of_fragments(
            json!({ "status": 416, "code": "invalidRange", "storeFraction": 0.3 }),
            nth,
        ),
        10 => of_fragments(json!({ "delayMs": rng.u64(500..4000) }), nth),
        11 => json!({ "operation": "lastFragment", "dropResponse": true }),
        12 => json!({ "operation": "lastFragment", "noItem": true }),
        13 => json!({ "operation": "deleteSession", "status": 500 }),
        _ => json!({ "operation": "getItem", "status": 503 }),
    }
}
