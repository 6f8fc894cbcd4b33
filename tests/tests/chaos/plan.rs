//! Plan of one chaos round: the documents and transfers of the round, their faults, and the
//! times at which processes are killed. All random decisions are made from the seed before the
//! round starts, so the same seed gives the same plan.

use std::time::Duration;

use docferry_system_tests::MIB;
use fastrand::Rng;
use serde_json::{Value, json};

/// Number of transfers per round.
pub(crate) const TRANSFER_COUNT: usize = 40;
/// Number of documents per round. It is smaller than the number of transfers, so several
/// transfers send the same document.
const DOCUMENT_COUNT: usize = 15;
/// Number of documents that have the same file name: the first documents of the plan. The file
/// name is the key in the exchange bucket, so their copies overwrite each other. The first two
/// documents also have the same size.
const DOCUMENTS_WITH_EQUAL_NAME: usize = 3;
/// Number of recipients per round.
pub(crate) const RECIPIENT_COUNT: usize = 8;

// Numbers of repeated steps, cancel requests and stopped executions per round.
const DUPLICATE_COUNT: usize = 25;
const CANCEL_COUNT: usize = 5;
const STOP_COUNT: usize = 8;

/// Length of the period in which faults occur.
pub(crate) const FAULT_PERIOD_MS: u64 = 20_000;
/// Length of the period in which transfers are requested.
const REQUEST_PERIOD_MS: u64 = FAULT_PERIOD_MS * 2 / 3;

/// Functions whose processes are killed. Busier functions are listed more often.
const KILLED_FUNCTIONS: [&str; 16] = [
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
    /// Functions whose processes are killed.
    pub(crate) kills: Vec<PlannedKill>,
    /// Steps that are invoked a second time.
    pub(crate) duplicates: Vec<PlannedDuplicate>,
    /// Transfers whose cancellation is requested.
    pub(crate) cancels: Vec<PlannedSelection>,
    /// Transfers whose executions are stopped from outside.
    pub(crate) stops: Vec<PlannedSelection>,
}

/// The killing of all processes of one function.
#[derive(Debug)]
pub(crate) struct PlannedKill {
    pub(crate) at: Duration,
    pub(crate) function: &'static str,
}

/// The repeated invocation of a step of a transfer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlannedDuplicate {
    pub(crate) at: Duration,
    /// Number that selects one of the latest transfers.
    pub(crate) transfer_selector: usize,
    /// Number that selects one of the steps that the transfer has reached, by the remainder.
    pub(crate) step_selector: usize,
}

/// The selection of a transfer at a time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlannedSelection {
    pub(crate) at: Duration,
    /// Number that selects one of the latest transfers.
    pub(crate) transfer_selector: usize,
}

/// A document, and the faults that the simulated document source injects for it.
#[derive(Debug)]
pub(crate) struct PlannedDocument {
    /// Number that the file name contains. Documents with the same number have the same name.
    pub(crate) name_number: usize,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Time after which the source's mover copies the document to the exchange bucket.
    pub(crate) mover_delay_ms: u64,
    /// Fault rules of the simulated source.
    pub(crate) faults: Vec<Value>,
}

/// A transfer, and the faults that the simulated OneDrive injects for it.
#[derive(Debug)]
pub(crate) struct PlannedTransfer {
    /// Time of the request.
    pub(crate) at: Duration,
    /// Index in [`Plan::documents`].
    pub(crate) document_index: usize,
    /// Number of the recipient, less than [`RECIPIENT_COUNT`].
    pub(crate) recipient: usize,
    /// Fault rules of the simulated destination.
    pub(crate) faults: Vec<Value>,
}

impl Plan {
    /// Creates the plan that belongs to a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut documents: Vec<_> =
            (0..DOCUMENT_COUNT).map(|number| random_document(&mut rng, number)).collect();
        for document in &mut documents[..DOCUMENTS_WITH_EQUAL_NAME] {
            document.name_number = 0;
        }
        documents[1].size = documents[0].size;
        let random_transfer = |_| {
            let document_index = rng.usize(..DOCUMENT_COUNT);
            PlannedTransfer {
                at: random_time(&mut rng, REQUEST_PERIOD_MS),
                document_index,
                recipient: rng.usize(..RECIPIENT_COUNT),
                faults: random_destination_faults(&mut rng, documents[document_index].size),
            }
        };
        let transfers = (0..TRANSFER_COUNT).map(random_transfer).collect();
        let mut kills = Vec::new();
        let mut kill_time_ms = 0;
        while kill_time_ms < FAULT_PERIOD_MS {
            kill_time_ms += rng.u64(100..900);
            kills.push(PlannedKill {
                at: Duration::from_millis(kill_time_ms),
                function: KILLED_FUNCTIONS[rng.usize(..KILLED_FUNCTIONS.len())],
            });
        }
        let mut duplicates: Vec<_> = (0..DUPLICATE_COUNT)
            .map(|_| PlannedDuplicate {
                at: random_time(&mut rng, FAULT_PERIOD_MS),
                transfer_selector: rng.usize(..TRANSFER_COUNT),
                step_selector: rng.usize(..64),
            })
            .collect();
        duplicates.sort_unstable();
        let cancels = random_selections(&mut rng, CANCEL_COUNT);
        let stops = random_selections(&mut rng, STOP_COUNT);
        Self { documents, transfers, kills, duplicates, cancels, stops }
    }
}

/// Returns `count` random selections of transfers, sorted by time.
fn random_selections(rng: &mut Rng, count: usize) -> Vec<PlannedSelection> {
    let mut selections: Vec<_> = (0..count)
        .map(|_| PlannedSelection {
            at: random_time(rng, FAULT_PERIOD_MS),
            transfer_selector: rng.usize(..TRANSFER_COUNT),
        })
        .collect();
    selections.sort_unstable();
    selections
}

/// Returns a random time in the first `period_ms` milliseconds of the round.
fn random_time(rng: &mut Rng, period_ms: u64) -> Duration {
    Duration::from_millis(rng.u64(..period_ms))
}

fn random_document(rng: &mut Rng, name_number: usize) -> PlannedDocument {
    let size = match rng.u8(..8) {
        0 => 0,
        1 => rng.u64(1..1000),
        2..=4 => rng.u64(1000..2 * MIB),
        5 | 6 => rng.u64(2 * MIB..9 * MIB),
        // Larger than one fragment, which is one request of an upload.
        _ => rng.u64(10 * MIB..22 * MIB),
    };
    let faults = (0..rng.usize(..3)).map(|_| random_source_fault(rng, size)).collect();
    PlannedDocument { name_number, size, mover_delay_ms: rng.u64(50..3000), faults }
}

fn random_source_fault(rng: &mut Rng, size: u64) -> Value {
    let html_page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let mut fault = match rng.u8(..8) {
        0 => json!({ "operation": "push", "status": 503, "count": 2 }),
        1 => json!({ "operation": "push", "dropResponse": true }),
        2 => {
            json!({ "operation": "push", "status": 200, "body": html_page, "contentType": "text/html" })
        }
        3 => json!({ "operation": "push", "delayMs": 2000 }),
        4 | 5 => json!({ "operation": "move", "delayMs": rng.u64(1000..6000) }),
        // Half of a one-byte document is the whole document, so the whole document would arrive
        // twice after one push. Hence the size must be greater than one.
        6 if size > 1 => json!({ "operation": "move", "storeFraction": 0.5, "delayMs": 3000 }),
        _ => json!({ "operation": "move", "never": true }),
    };
    fault["position"] = rng.u64(1..4).into();
    fault
}

fn random_destination_faults(rng: &mut Rng, size: u64) -> Vec<Value> {
    // An empty document is sent without an upload session, so it gets only faults of `simplePut`.
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
    let fragment_fault = |mut fault: Value, position: u64| {
        fault["operation"] = "fragment".into();
        fault["position"] = position.into();
        fault
    };
    let position = rng.u64(1..4);
    match rng.u8(..15) {
        0 => json!({ "operation": "createSession", "dropResponse": true }),
        1 => json!({ "operation": "createSession", "status": 500 }),
        2 => json!({ "operation": "createSession", "status": 429, "retryAfter": 1 }),
        3 => fragment_fault(json!({ "status": 500 }), position),
        4 => fragment_fault(json!({ "status": 500, "storeFraction": 1 }), position),
        5 => fragment_fault(json!({ "status": 503, "storeFraction": 0.4 }), position),
        6 => fragment_fault(json!({ "dropResponse": true }), position),
        7 => fragment_fault(json!({ "status": 429, "retryAfter": rng.u8(1..13) }), position),
        8 => fragment_fault(json!({ "expireSession": true }), position),
        9 => fragment_fault(
            json!({ "status": 416, "code": "invalidRange", "storeFraction": 0.3 }),
            position,
        ),
        10 => fragment_fault(json!({ "delayMs": rng.u64(500..4000) }), position),
        11 => json!({ "operation": "lastFragment", "dropResponse": true }),
        12 => json!({ "operation": "lastFragment", "noItem": true }),
        13 => json!({ "operation": "deleteSession", "status": 500 }),
        _ => json!({ "operation": "getItem", "status": 503 }),
    }
}
