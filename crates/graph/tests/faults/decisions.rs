//! Each decision of `docferry_domain::refusal::TABLE`, for each operation that it is about:
//! the refusal is scripted once, and what follows must be what the table says.

use std::collections::BTreeMap;

use docferry_app::ports::ConflictPolicy;
use docferry_domain::FailureCode;
use docferry_domain::refusal::{self, Decision, Occupant, Operation, TABLE};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::bench::{Bench, Came};
use crate::row::{LARGE, Row, SMALL, row};

/// Longer than any pause that is not asked for.
const RETRY_AFTER: i64 = 120;

pub(crate) struct Case {
    operation: Operation,
    row: &'static refusal::Row,
    status: u16,
}

/// A run of the case, and what the simulator and the clock saw.
pub(crate) struct Seen {
    pub(crate) came: Came,
    /// Requests by operation.
    pub(crate) requests: BTreeMap<String, usize>,
    pub(crate) paths: Vec<String>,
    pub(crate) waited_seconds: i64,
}

/// One case for each operation and row: each distinct decision of the table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in Operation::ALL {
        for row in TABLE.iter().filter(|row| row.operations.contains(&operation)) {
            let status = row.statuses[0];
            cases.push(Case { operation, row, status });
        }
    }
    cases
}

const fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::CreateSession => "createSession",
        Operation::Fragment => "fragment",
        Operation::LastFragment => "lastFragment",
        Operation::SmallPut => "simplePut",
        Operation::SessionStatus => "sessionStatus",
        Operation::SessionDelete => "deleteSession",
        Operation::ItemLookup => "getItem",
        Operation::DriveLookup => "getDrive",
        Operation::UserLookup => "getUser",
        Operation::Token => "token",
    }
}

impl Case {
    fn text(&self) -> String {
        let Self { operation, row, status } = self;
        format!("{operation:?} {status} {:?} {:?} {:?}", row.codes, row.policies, row.occupants)
    }

    fn policy(&self) -> ConflictPolicy {
        self.row.policies.first().copied().unwrap_or_default()
    }

    /// What the look at the destination is to show.
    fn place(&self) -> Option<(&'static str, &'static str)> {
        match self.row.occupants.first()? {
            Occupant::Nothing => None,
            Occupant::File => Some(("Court", "order.pdf")),
            Occupant::Folder => Some(("Court/order.pdf", "x.txt")),
            Occupant::FileInPath => Some(("", "Court")),
        }
    }

    fn is_of_a_fragment(&self) -> bool {
        matches!(self.operation, Operation::Fragment | Operation::LastFragment)
    }

    /// The refusal, and what leads to the call.
    fn rules(&self) -> Value {
        let mut refusal = json!({ "operation": name(self.operation), "status": self.status });
        if let Some(code) = self.row.codes.first() {
            refusal["code"] = json!(code);
        }
        // The secret is read again once, and the token asked for with it.
        if self.operation == Operation::Token && self.outcome().is_err() {
            refusal["count"] = json!(2);
        }
        if self.row.decision == Decision::Wait {
            refusal["retryAfter"] = json!(RETRY_AFTER);
        }
        let before = match self.operation {
            // Something appears in the place of the document after the session was opened.
            Operation::Fragment | Operation::LastFragment if self.place().is_some() => {
                if self.operation == Operation::Fragment {
                    refusal["position"] = json!(3);
                }
                json!({ "operation": "fragment", "status": 429, "retryAfter": RETRY_AFTER })
            }
            Operation::Fragment => {
                refusal["position"] = json!(2);
                return refusal;
            }
            Operation::SessionStatus => {
                json!({ "operation": "fragment", "position": 2, "status": 500 })
            }
            Operation::SessionDelete => {
                json!({ "operation": "fragment", "position": 2, "status": 409 })
            }
            Operation::ItemLookup => json!({ "operation": "simplePut", "status": 500 }),
            Operation::DriveLookup => json!({ "operation": "simplePut", "status": 404 }),
            _ => return refusal,
        };
        json!([before, refusal])
    }

    fn size(&self) -> u64 {
        match self.operation {
            Operation::CreateSession
            | Operation::Fragment
            | Operation::LastFragment
            | Operation::SessionStatus
            | Operation::SessionDelete => LARGE,
            _ => SMALL,
        }
    }

    fn scenario(&self) -> Row {
        let scenario = row("", "", self.size(), self.rules()).under(self.policy());
        match self.place() {
            Some(place) if self.is_of_a_fragment() => scenario.beside_later(place),
            Some(place) => scenario.beside(place),
            None => scenario,
        }
    }

    fn outcome(&self) -> Result<(), FailureCode> {
        match self.row.decision {
            Decision::Fail(code) if !code.is_retryable() => Err(code),
            _ => Ok(()),
        }
    }

    /// Whether what followed is what the decision says, beyond the outcome.
    fn is_carried_out(&self, seen: &Seen) -> bool {
        let count = |operation: &str| seen.requests.get(operation).copied().unwrap_or_default();
        let repeated = count(name(self.operation)) >= 2;
        match self.row.decision {
            Decision::Wait => seen.waited_seconds >= RETRY_AFTER && repeated,
            Decision::RenewToken => count("token") == 2 && repeated,
            // What led to the look is repeated.
            Decision::Repeat { .. } if self.operation == Operation::DriveLookup => {
                count("simplePut") == 2
            }
            Decision::Repeat { .. } => repeated,
            Decision::Reconcile => match self.operation {
                Operation::CreateSession => repeated,
                Operation::SmallPut => repeated && count("getItem") >= 1,
                _ => count("sessionStatus") >= 1 && seen.came.sessions == 1,
            },
            Decision::Resume => count("sessionStatus") >= 1 && seen.came.sessions == 1,
            Decision::NewSession | Decision::AlreadyGone => seen.came.sessions == 2,
            Decision::WaitForPath => (5..60).contains(&seen.waited_seconds) && repeated,
            Decision::NextNumber => seen.paths.iter().any(|path| path == "Court/order 1.pdf"),
            Decision::CheckDrive => count("getDrive") >= 1 && repeated,
            Decision::Absent => count("getDrive") >= 1 && count("simplePut") == 2,
            // A lock is waited for by the workflow, which repeats the step.
            Decision::Fail(code) => code.is_retryable() || seen.came.sessions <= 1,
        }
    }
}

async fn run(case: Case) -> Option<String> {
    let play = async move {
        let scenario = case.scenario();
        let bench = Bench::start(&scenario).await;
        let came = bench.run(&scenario).await;
        let seen = bench.seen(came).await;
        let is_right = seen.came.outcome == case.outcome()
            && seen.came.open == 0
            && case.is_carried_out(&seen);
        let Seen { came, requests, waited_seconds, .. } = &seen;
        (!is_right).then(|| {
            let text = case.text();
            let decision = case.row.decision;
            format!("{text}: {decision:?}\n  {came:?}\n  {requests:?} {waited_seconds} s")
        })
    };
    tokio::spawn(play).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_decision_about_a_refusal_is_carried_out() {
    let cases = cases();
    let count = cases.len();
    let wrong: Vec<String> =
        futures::stream::iter(cases).map(run).buffered(32).filter_map(async |w| w).collect().await;
    println!("{count} decisions, {} not carried out", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
