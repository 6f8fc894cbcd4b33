//! Checks of the logs, histories and messages of the whole test run. Runs last and alone.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{FailureCode, LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox, eventually};
use serde_json::json;

/// Invariant I8: "upload URLs, presigned URLs, tokens, secrets, e-mail addresses
/// and file names are in no log, history, error or metric".
///
/// Each sandbox's tag is part of its e-mail address, file name and folder, and the simulated
/// Graph has the addresses of all sandboxes. So this test checks the logs of all earlier
/// tests, including their faults and crashes.
#[tokio::test]
async fn logs_and_histories_contain_no_personal_data_or_secrets() {
    let sandbox = Sandbox::new().await;
    let delivered = run_one_delivery_and_several_failures(&sandbox).await;
    let forbidden = forbidden_texts(&sandbox).await;

    let mut searched = 0;
    let mut hits = Vec::new();
    let mut search =
        |place: &str, text: &str| {
            searched += text.len();
            hits.extend(forbidden.iter().filter(|(_, needle)| text.contains(needle.as_str())).map(
                |(kind, _)| format!("{kind} in {place}: {}", context_of_hit(text, &forbidden)),
            ));
        };
    let mut logs = String::new();
    let groups = sandbox.cloud.log_groups().await;
    for function in sandbox.stack.functions.values() {
        assert!(groups.contains(&format!("/aws/lambda/{function}")), "no log of {function}");
    }

    for group in groups {
        let log = sandbox.cloud.log_text(&group).await;
        search(&group, &log);
        logs.push_str(&log);
    }
    // The search is meaningful only if the logs contain the transfer.
    assert!(logs.contains(&delivered), "the logs do not contain the transfer");
    for step in ["push", "poll", "upload", "finalize"] {
        assert!(logs.contains(&format!("\"{step}\"")), "no log of {step}");
    }

    let executions = sandbox.cloud.executions().await;
    for execution in &executions {
        let (id, execution_number) = execution.split_once('-').unwrap();
        let history =
            sandbox.cloud.history_of(id, execution_number.parse().unwrap()).await.unwrap();
        search(execution, &history.text());
    }
    assert!(sandbox.cloud.history(&delivered).await.text().contains(&delivered));

    // The emulator and the simulators must not log addresses either.
    for (program, path) in &sandbox.stack.logs {
        search(program, &String::from_utf8_lossy(&std::fs::read(path).unwrap()));
    }
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));
    assert!(searched > 10_000, "only {searched} bytes were searched");
}

/// Invariant I9: "one outbox record an outcome, in the terminal transaction;
/// messages at least once with the stable id `{transferId}/{attempt}`".
///
/// Covers all transfers that earlier tests have ended, including those with crashes.
#[tokio::test]
async fn every_outcome_was_sent_to_the_audit_queue() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let (delivered, _) = sandbox.deliver(&document).await;
    let mut messages = BTreeMap::new();
    eventually("the outbox is empty", LONG_TIMEOUT, async || {
        // The sweeper sends messages that `notify` did not send.
        let outcomes = sandbox.cloud.sort_keys("OUTBOX#").await;
        let notifications = sandbox.cloud.sort_keys("NOTICE#").await;
        (outcomes.is_empty() && notifications.is_empty()).then_some(())
    })
    .await;
    for message in sandbox.cloud.audit_messages().await {
        let id = message["messageId"].as_str().unwrap().to_owned();
        let earlier = messages.insert(id, message.clone());
        assert!(earlier.is_none_or(|earlier| earlier == message), "repeated messages are equal");
    }

    // This message is from a sample event, whose transfer does not exist.
    messages.remove("0193a3e4c5d67e8f90a1b2c3d4e5f607/1");
    // Each transfer has a message for its last end and one for each end before a retry.
    let mut attempts = BTreeMap::<&str, Vec<u32>>::new();
    for (transfer, execution_number) in messages.keys().map(|id| split_id(id)) {
        attempts.entry(transfer).or_default().push(execution_number);
    }
    let ended = sandbox.cloud.ended_transfers().await;
    assert_eq!(attempts.len(), ended.len());
    for (last, retries) in &ended {
        let (transfer, execution_number) = split_id(last);
        let sent = &attempts[transfer];
        assert_eq!(sent.len(), retries + 1, "{last}: {sent:?}");
        assert_eq!(sent.iter().max(), Some(&execution_number), "{last}: {sent:?}");
    }

    let message = &messages[&format!("{delivered}/1")];
    assert_eq!(
        (&message["actor"], &message["action"], &message["outcome"]),
        (&json!("scv"), &json!("Delivered to OneDrive"), &json!("completed"))
    );
    assert_eq!(message["files"][0]["fileName"], sandbox.file_name);
}

/// Splits a message id into the transfer and its attempt.
fn split_id(id: &str) -> (&str, u32) {
    let (transfer, execution_number) = id.split_once('/').unwrap();
    (transfer, execution_number.parse().unwrap())
}

/// Returns up to 200 characters before the first hit. The hit itself is left out, because
/// the result is logged, too.
fn context_of_hit(text: &str, forbidden: &[(String, String)]) -> String {
    let is_hit = |line: &&str| forbidden.iter().any(|(_, needle)| line.contains(needle));
    let line = text.lines().find(is_hit).unwrap_or_default();
    let at = forbidden.iter().filter_map(|(_, needle)| line.find(needle)).min().unwrap_or(0);
    let context: String = line[..at].chars().rev().take(200).collect();
    context.chars().rev().collect()
}

/// Delivers a document despite faults, and lets other transfers fail, so that everything that can
/// be logged is logged. Returns the id of the delivered transfer.
async fn run_one_delivery_and_several_failures(sandbox: &Sandbox) -> String {
    let document = sandbox.document(25 * MIB).await;
    // Faults that make clients write logs: lost responses, errors and an expired session.
    sandbox.source_faults([json!({ "operation": "push", "dropResponse": true })]).await;
    sandbox
        .graph_faults([
            json!({ "operation": "getUser", "status": 401 }),
            json!({ "operation": "createSession", "status": 500, "delayMs": 2000 }),
            json!({ "operation": "fragment", "position": 1, "dropResponse": true }),
            json!({ "operation": "fragment", "position": 2, "status": 500 }),
            json!({ "operation": "fragment", "position": 3, "expireSession": true }),
        ])
        .await;
    let (delivered, _) = sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;

    for (fault, code) in [
        (
            json!({ "operation": "simplePut", "status": 400, "code": "invalidPath" }),
            FailureCode::DestinationRefused,
        ),
        (
            json!({ "operation": "simplePut", "status": 403, "code": "accessDenied" }),
            FailureCode::DestinationUnauthorized,
        ),
        (json!({ "operation": "simplePut", "corruptHash": true }), FailureCode::VerificationFailed),
    ] {
        let sandbox = Sandbox::new().await;
        sandbox.document(1000).await;
        sandbox.graph_faults([fault]).await;
        sandbox.assert_fails_cleanly(code, SHORT_TIMEOUT).await;
    }
    for (status, code) in
        [(401, FailureCode::SourceUnauthorized), (400, FailureCode::SourceRefused)]
    {
        let sandbox = Sandbox::new().await;
        sandbox.document(1000).await;
        let refused = json!({ "operation": "push", "status": status, "count": 0 });
        sandbox.source_faults([refused]).await;
        sandbox.assert_fails_cleanly(code, SHORT_TIMEOUT).await;
    }
    let mut unknown = Sandbox::new().await;
    unknown.document(1000).await;
    unknown.email = format!("unknown-{}@docferry.example", unknown.tag);
    unknown.assert_fails_cleanly(FailureCode::RecipientNotFound, SHORT_TIMEOUT).await;

    let tag = &sandbox.tag;
    let bad = json!({ "objGuid": tag, "email": tag, "filePath": format!("{tag}|") });
    assert_eq!(sandbox.api.post(&bad).await.status, 400);
    sandbox.api.get(&format!("/document/status/{tag}")).await;
    delivered
}

/// Returns texts that must not be found, each with a description that may be printed.
async fn forbidden_texts(sandbox: &Sandbox) -> Vec<(String, String)> {
    let stack = &sandbox.stack;
    let mut forbidden = vec![("an upload URL".to_owned(), "tempauth".to_owned())];
    let mut forbid = |kind: &str, text: &str| {
        assert!(text.len() >= 4, "{kind} is too short to search for");
        forbidden.push((kind.to_owned(), text.to_owned()));
    };
    for user in sandbox.graph.users().await {
        forbid("an address", &user);
        forbid("an address, encoded", &user.replace('@', "%40"));
        // The tag of the test that created the user.
        if let Some(at) = user.find("zq") {
            forbid("an address, file name or folder", &user[at..at + 18]);
        }
    }
    for (index, secret) in stack.secrets.iter().enumerate() {
        forbid(&format!("secret {index}"), secret);
        // Every combination of user and secret, encoded as in HTTP Basic.
        for user in [stack.scv.username.as_str(), "docferry"] {
            forbid("basic credentials", &STANDARD.encode(format!("{user}:{secret}")));
        }
    }
    forbid("an address of a sample event", "judge@court.example");
    forbid("a token", "Bearer ");
    // Prefix of all JSON Web Tokens of the issuer.
    forbid("a token", "eyJhbGciOi");
    forbid("a presigned URL", "X-Amz-Signature");
    forbidden
}
