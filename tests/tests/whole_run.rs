//! Checks of the logs, workflow histories and audit messages that all system tests together have
//! produced. These tests run last and alone.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_domain::audit::AuditAction;
use docferry_system_tests::{
    FailureCode, LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox, eventually, find_audit_records,
};
use serde_json::{Value, json};

/// Invariant I8 of `docs/SEMANTICS.md`: no log and no execution history contains an upload URL, a
/// presigned URL, a token, a secret, an e-mail address or a file name.
///
/// The tag of a sandbox is part of its e-mail address, file name and folder. The simulated Graph has
/// the addresses of all sandboxes. So this test checks the logs of all earlier tests, including their
/// faults and crashes.
#[tokio::test]
async fn logs_and_histories_contain_no_personal_data_or_secrets() {
    let sandbox = Sandbox::new().await;
    let delivered = run_one_delivery_and_several_failures(&sandbox).await;
    let forbidden = forbidden_texts(&sandbox).await;

    let mut searched = 0;
    let mut hits = Vec::new();
    let mut search = |place: &str, text: &str| {
        searched += text.len();
        for hit in forbidden.iter().filter(|forbidden| text.contains(&forbidden.text)) {
            let context = context_of_hit(text, &forbidden);
            hits.push(format!("{} in {place}: {context}", hit.description));
        }
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

/// Invariant I9 of `docs/SEMANTICS.md`: each outcome is sent to the audit queue at least once, always
/// under the id `{transferId}/{attempt}`. `attempt` is the number of the execution.
///
/// Covers all transfers that earlier tests have ended, including those with crashes.
#[tokio::test]
async fn every_outcome_was_sent_to_the_audit_queue() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let (delivered, _) = sandbox.deliver(&document).await;
    eventually("the outbox is empty", LONG_TIMEOUT, async || {
        // The sweeper sends messages that `notify` did not send.
        let outcomes = sandbox.cloud.sort_keys("OUTBOX#").await;
        let notifications = sandbox.cloud.sort_keys("NOTICE#").await;
        (outcomes.is_empty() && notifications.is_empty()).then_some(())
    })
    .await;
    let mut messages = BTreeMap::new();
    for message in sandbox.cloud.audit_messages().await {
        let id = message["messageId"].as_str().unwrap().to_owned();
        let earlier = messages.insert(id, message.clone());
        assert!(earlier.is_none_or(|earlier| earlier == message), "repeated messages are equal");
    }

    assert_archived(&sandbox, &messages).await;
    // This message is from a sample event, whose transfer does not exist.
    messages.remove("0193a3e4c5d67e8f90a1b2c3d4e5f607/1");
    let outcomes = [AuditAction::DeliveredToOnedrive, AuditAction::MadeAvailable];
    messages
        .retain(|_, message| outcomes.iter().any(|action| message["action"] == action.as_str()));
    // Each transfer has a message for its last end and one for each end before a retry.
    let mut execution_numbers = BTreeMap::<&str, Vec<u32>>::new();
    for (transfer, execution_number) in messages.keys().map(|id| split_id(id)) {
        execution_numbers.entry(transfer).or_default().push(execution_number);
    }
    let ended = sandbox.cloud.ended_transfers().await;
    assert_eq!(execution_numbers.len(), ended.len());
    for (last_message_id, retries) in &ended {
        let (transfer, execution_number) = split_id(last_message_id);
        let sent = &execution_numbers[transfer];
        assert_eq!(sent.len(), retries + 1, "{last_message_id}: {sent:?}");
        assert_eq!(sent.iter().max(), Some(&execution_number), "{last_message_id}: {sent:?}");
    }

    let message = &messages[&format!("{delivered}/1")];
    assert_eq!(message["actor"], "scv");
    assert_eq!(message["action"], "Delivered to OneDrive");
    assert_eq!(message["outcome"], "completed");
    assert_eq!(message["files"][0]["fileName"], sandbox.file_name);
}

/// Waits until the archive contains all messages of the audit queue, and nothing else under their ids.
async fn assert_archived(sandbox: &Sandbox, messages: &BTreeMap<String, Value>) {
    // Some tests withdraw documents at times in the past.
    let conditions = ["--since", "2000-01-01"];
    let archived = eventually("all records are archived", LONG_TIMEOUT, async || {
        let records = find_audit_records(&sandbox.stack, &conditions).await;
        let by_id = |record: Value| Some((record["messageId"].as_str()?.to_owned(), record));
        let archived: BTreeMap<_, _> = records.into_iter().filter_map(by_id).collect();
        messages.keys().all(|id| archived.contains_key(id)).then_some(archived)
    })
    .await;
    for (id, message) in messages {
        assert_eq!(&archived[id], message);
    }
}

/// Splits a message id, `{transferId}/{attempt}`, into the transfer's id and the execution number.
fn split_id(id: &str) -> (&str, u32) {
    let (transfer, execution_number) = id.split_once('/').unwrap();
    (transfer, execution_number.parse().unwrap())
}

/// A text that must not occur in any log, history or error.
struct ForbiddenText {
    /// Description that may be printed.
    description: String,
    text: String,
}

/// Returns up to 200 characters before the first forbidden text. The forbidden text itself is not
/// returned, because the test prints the result.
fn context_of_hit(text: &str, forbidden: &[ForbiddenText]) -> String {
    let is_hit = |line: &&str| forbidden.iter().any(|forbidden| line.contains(&forbidden.text));
    let line = text.lines().find(is_hit).unwrap_or_default();
    let hits = forbidden.iter().filter_map(|forbidden| line.find(&forbidden.text));
    let first_hit = hits.min().unwrap_or(0);
    let context: String = line[..first_hit].chars().rev().take(200).collect();
    context.chars().rev().collect()
}

/// Delivers one document despite faults and lets several transfers fail, so that the logs contain
/// all kinds of messages. Returns the id of the delivered transfer.
async fn run_one_delivery_and_several_failures(sandbox: &Sandbox) -> String {
    let document = sandbox.document(25 * MIB).await;
    // These faults make the clients of ORDS and Graph write logs.
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
    let mut unknown_recipient = Sandbox::new().await;
    unknown_recipient.document(1000).await;
    unknown_recipient.email = format!("unknown-{}@docferry.example", unknown_recipient.tag);
    unknown_recipient.assert_fails_cleanly(FailureCode::RecipientNotFound, SHORT_TIMEOUT).await;

    let tag = &sandbox.tag;
    let invalid_body = json!({ "objGuid": tag, "email": tag, "filePath": format!("{tag}|") });
    let for_end_user = sandbox.api.with_header("x-on-behalf-of", "Judge Agot");
    assert_eq!(for_end_user.post(&invalid_body).await.status, 400);
    let body = json!({ "objGuid": sandbox.guid, "email": sandbox.email, "filePath": "Again" });
    let accepted = for_end_user.post(&body).await.json();
    sandbox.wait_for_end(SHORT_TIMEOUT, accepted["transferId"].as_str().unwrap()).await;
    sandbox.api.get(&format!("/document/status/{tag}")).await;
    delivered
}

/// Returns the texts that must not be found.
async fn forbidden_texts(sandbox: &Sandbox) -> Vec<ForbiddenText> {
    let stack = &sandbox.stack;
    let mut forbidden = Vec::new();
    let mut forbid = |description: &str, text: &str| {
        assert!(text.len() >= 4, "{description} is too short to search for");
        forbidden
            .push(ForbiddenText { description: description.to_owned(), text: text.to_owned() });
    };
    forbid("an upload URL", "tempauth");
    for user in sandbox.graph.users().await {
        forbid("an address", &user);
        forbid("an address, encoded", &user.replace('@', "%40"));
        // The address contains the tag of the sandbox that created the user: "zq" and 16 digits.
        if let Some(start) = user.find("zq") {
            forbid("an address, file name or folder", &user[start..start + 18]);
        }
    }
    for (index, secret) in stack.secrets.iter().enumerate() {
        forbid(&format!("secret {index}"), secret);
        // Each secret with each user name, encoded as in HTTP Basic.
        for user in [stack.scv.username.as_str(), "docferry"] {
            forbid("basic credentials", &STANDARD.encode(format!("{user}:{secret}")));
        }
    }
    forbid("an address of a sample event", "judge@court.example");
    forbid("an end user", "Judge Agot");
    forbid("a token", "Bearer ");
    // Prefix of all JSON Web Tokens of the issuer.
    forbid("a token", "eyJhbGciOi");
    forbid("a presigned URL", "X-Amz-Signature");
    forbidden
}
