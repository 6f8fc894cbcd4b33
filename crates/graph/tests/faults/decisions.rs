//! Tests that the client executes the decisions of `docferry_domain::upload::refusal::TABLE`, which
//! defines the reaction to each error response of Microsoft Graph.
//!
//! Each case is one row of the table for one operation. The simulator returns the error response
//! once, and the test checks that the client then does what the row's decision says.

use docferry_app::ports::ConflictPolicy;
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::{self, Decision, Occupant, Operation, TABLE};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::CONCURRENT_RUNS;
use crate::bench::Bench;
use crate::result::Observation;
use crate::row::{ForeignFile, LARGE_SIZE, Row, SMALL_SIZE, row};

/// `Retry-After` of throttled responses, in seconds. It is longer than any pause that the client
/// chooses itself.
const RETRY_AFTER: i64 = 120;

/// Test case: one row of the table, for one of its operations.
pub(crate) struct Case {
    operation: Operation,
    row: &'static refusal::Row,
    status: u16,
}

/// Returns one case for each operation of each row of the table.
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

/// Returns the simulator's name of an operation.
const fn simulator_name(operation: Operation) -> &'static str {
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
    /// Describes the case in a failure message.
    fn description(&self) -> String {
        let Self { operation, row, status } = self;
        format!("{operation:?} {status} {:?} {:?} {:?}", row.codes, row.policies, row.occupants)
    }

    fn policy(&self) -> ConflictPolicy {
        self.row.policies.first().copied().unwrap_or_default()
    }

    /// Returns the foreign file that the test needs. With this file, the client finds the row's
    /// occupant, which is the item that causes a conflict at the destination `Court/order.pdf`.
    fn foreign_file(&self) -> Option<ForeignFile> {
        let file = |folder, name| Some(ForeignFile { folder, name });
        match self.row.occupants.first()? {
            Occupant::Nothing => None,
            Occupant::File => file("Court", "order.pdf"),
            Occupant::Folder => file("Court/order.pdf", "x.txt"),
            Occupant::FileInPath => file("", "Court"),
        }
    }

    fn is_fragment_operation(&self) -> bool {
        matches!(self.operation, Operation::Fragment | Operation::LastFragment)
    }

    /// Returns the simulator's rules: the error response under test and, if needed, a fault that
    /// makes the client send this request.
    fn rules(&self) -> Value {
        let mut fault =
            json!({ "operation": simulator_name(self.operation), "status": self.status });
        if let Some(code) = self.row.codes.first() {
            fault["code"] = json!(code);
        }
        // After an error, the client reads the client secret again and requests the token a second
        // time. To fail the transfer, the error has to occur twice.
        if self.operation == Operation::Token && self.outcome().is_err() {
            fault["count"] = json!(2);
        }
        if self.row.decision == Decision::Wait {
            fault["retryAfter"] = json!(RETRY_AFTER);
        }
        let preceding_fault = match self.operation {
            // The preceding fault causes a pause after the client has opened the session. During
            // this pause, the test puts the foreign file at the destination.
            Operation::Fragment | Operation::LastFragment if self.foreign_file().is_some() => {
                if self.operation == Operation::Fragment {
                    fault["position"] = json!(3);
                }
                json!({ "operation": "fragment", "status": 429, "retryAfter": RETRY_AFTER })
            }
            Operation::Fragment => {
                fault["position"] = json!(2);
                return fault;
            }
            Operation::SessionStatus => {
                json!({ "operation": "fragment", "position": 2, "status": 500 })
            }
            Operation::SessionDelete => {
                json!({ "operation": "fragment", "position": 2, "status": 409 })
            }
            Operation::ItemLookup => json!({ "operation": "simplePut", "status": 500 }),
            Operation::DriveLookup => json!({ "operation": "simplePut", "status": 404 }),
            _ => return fault,
        };
        json!([preceding_fault, fault])
    }

    fn size(&self) -> u64 {
        match self.operation {
            Operation::CreateSession
            | Operation::Fragment
            | Operation::LastFragment
            | Operation::SessionStatus
            | Operation::SessionDelete => LARGE_SIZE,
            _ => SMALL_SIZE,
        }
    }

    /// Returns the row of the fault table that makes the client receive the error response.
    fn scenario(&self) -> Row {
        let (number, fault) = ("", "");
        let scenario = row(number, fault, self.size(), self.rules()).with_policy(self.policy());
        match self.foreign_file() {
            Some(file) if self.is_fragment_operation() => scenario.with_later_file(file),
            Some(file) => scenario.with_foreign_file(file),
            None => scenario,
        }
    }

    /// Returns the expected outcome of the transfer.
    fn outcome(&self) -> Result<(), FailureCode> {
        match self.row.decision {
            Decision::Fail(code) if !code.is_retryable() => Err(code),
            _ => Ok(()),
        }
    }

    /// Returns whether the client's requests and pauses match the decision.
    fn decision_is_executed(&self, observation: &Observation) -> bool {
        let count =
            |operation: &str| observation.requests.get(operation).copied().unwrap_or_default();
        let repeated = count(simulator_name(self.operation)) >= 2;
        match self.row.decision {
            Decision::Wait => observation.waited_seconds >= RETRY_AFTER && repeated,
            Decision::RenewToken => count("token") == 2 && repeated,
            // The client looks the drive up after a failed PUT, and then repeats this PUT.
            Decision::Repeat { .. } if self.operation == Operation::DriveLookup => {
                count("simplePut") == 2
            }
            Decision::Repeat { .. } => repeated,
            Decision::Reconcile => match self.operation {
                Operation::CreateSession => repeated,
                Operation::SmallPut => repeated && count("getItem") >= 1,
                _ => count("sessionStatus") >= 1 && observation.result.sessions == 1,
            },
            Decision::Resume => count("sessionStatus") >= 1 && observation.result.sessions == 1,
            Decision::NewSession | Decision::AlreadyGone => observation.result.sessions == 2,
            Decision::WaitForPath => (5..60).contains(&observation.waited_seconds) && repeated,
            Decision::NextNumber => {
                observation.paths.iter().any(|path| path == "Court/order 1.pdf")
            }
            Decision::CheckDrive => count("getDrive") >= 1 && repeated,
            Decision::Absent => count("getDrive") >= 1 && count("simplePut") == 2,
            // If the failure is retryable, such as a lock, the workflow repeats the step.
            Decision::Fail(code) => code.is_retryable() || observation.result.sessions <= 1,
        }
    }
}

/// Runs a case. Returns a description of the mismatch if the client did not act as expected.
async fn run(case: Case) -> Option<String> {
    let task = async move {
        let scenario = case.scenario();
        let bench = Bench::start(&scenario).await;
        let result = bench.run(&scenario).await;
        let observation = bench.observe(result).await;
        let is_expected = observation.result.outcome == case.outcome()
            && observation.result.open_sessions == 0
            && case.decision_is_executed(&observation);
        let Observation { result, requests, waited_seconds, .. } = &observation;
        (!is_expected).then(|| {
            let description = case.description();
            let decision = case.row.decision;
            format!("{description}: {decision:?}\n  {result:?}\n  {requests:?} {waited_seconds} s")
        })
    };
    tokio::spawn(task).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_executes_every_decision_of_the_error_table() {
    let cases = cases();
    let count = cases.len();
    let mismatches: Vec<String> = futures::stream::iter(cases)
        .map(run)
        .buffered(CONCURRENT_RUNS)
        .filter_map(async |mismatch| mismatch)
        .collect()
        .await;
    println!("{count} decisions, {} not executed as expected", mismatches.len());
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}
