//! What happens in a round: every decision, made from the seed before it begins.

use std::time::Duration;

use docferry_system_tests::MIB;
use fastrand::Rng;
use serde_json::{Value, json};

pub(crate) const TRANSFERS: usize = 40;
const DOCUMENTS: usize = 15;
/// Documents that have the file name, and so the exchange key, of the first; the second has
/// its size as well.
const EQUAL_NAMES: usize = 3;
pub(crate) const PEOPLE: usize = 8;

/// How long things go wrong. Transfers are sent in the first two thirds.
pub(crate) const TROUBLE_MS: u64 = 20_000;
const SENDING_MS: u64 = TROUBLE_MS * 2 / 3;

/// Who is killed, the busier the more often.
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

/// A round.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) documents: Vec<PlannedDocument>,
    pub(crate) transfers: Vec<PlannedTransfer>,
    /// Functions whose processes are killed, whichever there are.
    pub(crate) kills: Vec<(Duration, &'static str)>,
    /// The numbers choose one of the last transfers, and one of its steps.
    pub(crate) duplicates: Vec<(Duration, usize, usize)>,
    /// The number chooses the transfer that somebody asks to stop.
    pub(crate) terminates: Vec<(Duration, usize)>,
    /// The number chooses the transfer whose execution is ended from outside.
    pub(crate) aborts: Vec<(Duration, usize)>,
}

#[derive(Debug)]
pub(crate) struct PlannedDocument {
    /// Documents of one number have one file name.
    pub(crate) name: usize,
    pub(crate) size: u64,
    pub(crate) mover_delay_ms: u64,
    pub(crate) faults: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct PlannedTransfer {
    pub(crate) at: Duration,
    pub(crate) document: usize,
    pub(crate) person: usize,
    pub(crate) faults: Vec<Value>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut documents: Vec<_> = (0..DOCUMENTS).map(|name| document(&mut rng, name)).collect();
        for equal in &mut documents[..EQUAL_NAMES] {
            equal.name = 0;
        }
        documents[1].size = documents[0].size;
        let transfer = |_| {
            let document = rng.usize(..DOCUMENTS);
            PlannedTransfer {
                at: at(&mut rng, SENDING_MS),
                document,
                person: rng.usize(..PEOPLE),
                faults: destination_faults(&mut rng, documents[document].size),
            }
        };
        let transfers = (0..TRANSFERS).map(transfer).collect();
        let mut kills = Vec::new();
        let mut now = 0;
        while now < TROUBLE_MS {
            now += rng.u64(100..900);
            kills.push((Duration::from_millis(now), VICTIMS[rng.usize(..VICTIMS.len())]));
        }
        let mut duplicates: Vec<_> = (0..25)
            .map(|_| (at(&mut rng, TROUBLE_MS), rng.usize(..TRANSFERS), rng.usize(..64)))
            .collect();
        duplicates.sort_unstable();
        let terminates = moments(&mut rng, 5);
        let aborts = moments(&mut rng, 8);
        Self { documents, transfers, kills, duplicates, terminates, aborts }
    }
}

/// So many, each with one of the last transfers.
fn moments(rng: &mut Rng, count: usize) -> Vec<(Duration, usize)> {
    let mut moments: Vec<_> =
        (0..count).map(|_| (at(rng, TROUBLE_MS), rng.usize(..TRANSFERS))).collect();
    moments.sort_unstable();
    moments
}

fn at(rng: &mut Rng, until: u64) -> Duration {
    Duration::from_millis(rng.u64(..until))
}

fn document(rng: &mut Rng, name: usize) -> PlannedDocument {
    let size = match rng.u8(..8) {
        0 => 0,
        1 => rng.u64(1..1000),
        2..=4 => rng.u64(1000..2 * MIB),
        5 | 6 => rng.u64(2 * MIB..9 * MIB),
        // More than one fragment.
        _ => rng.u64(10 * MIB..22 * MIB),
    };
    let faults = (0..rng.usize(..3)).map(|_| source_fault(rng, size)).collect();
    PlannedDocument { name, size, mover_delay_ms: rng.u64(50..3000), faults }
}

fn source_fault(rng: &mut Rng, size: u64) -> Value {
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let mut fault = match rng.u8(..8) {
        0 => json!({ "operation": "push", "status": 503, "count": 2 }),
        1 => json!({ "operation": "push", "dropResponse": true }),
        2 => {
            json!({ "operation": "push", "status": 200, "body": html, "contentType": "text/html" })
        }
        3 => json!({ "operation": "push", "delayMs": 2000 }),
        4 | 5 => json!({ "operation": "move", "delayMs": rng.u64(1000..6000) }),
        // A part that is as large as the whole would be two arrivals of one push.
        6 if size > 1 => json!({ "operation": "move", "storeFraction": 0.5, "delayMs": 3000 }),
        _ => json!({ "operation": "move", "never": true }),
    };
    fault["position"] = rng.u64(1..4).into();
    fault
}

fn destination_faults(rng: &mut Rng, size: u64) -> Vec<Value> {
    if size == 0 {
        return match rng.u8(..3) {
            0 => vec![json!({ "operation": "simplePut", "dropResponse": true })],
            1 => vec![json!({ "operation": "simplePut", "status": 500 })],
            _ => Vec::new(),
        };
    }
    (0..rng.usize(..4)).map(|_| destination_fault(rng)).collect()
}

fn destination_fault(rng: &mut Rng) -> Value {
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
