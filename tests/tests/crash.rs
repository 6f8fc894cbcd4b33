//! Tests of transfers whose function processes are killed. They run alone, because a test cannot see
//! which process serves which transfer, and so kills all processes of a function.

use std::cell::Cell;

use docferry_system_tests::{
    LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox, eventually, kill, processes_of,
};
use serde_json::json;

#[tokio::test]
async fn killed_upload_resumes_and_resends_at_most_one_fragment() {
    let sandbox = Sandbox::new().await;
    let emulator_pid = sandbox.stack.emulator_pid.expect("the test run started the emulator");
    let document = sandbox.document(32 * MIB).await;
    sandbox.limit_bandwidth(8 * MIB).await;
    let id = sandbox.send().await;
    // Waits until the first fragment is stored and the second one is being sent.
    eventually("bytes of the second fragment arrive", SHORT_TIMEOUT, async || {
        let sessions = sandbox.graph.sessions(&sandbox.email).await;
        let session = sessions.first()?;
        (session.next_offset > 0 && session.received_bytes > session.next_offset + MIB)
            .then_some(())
    })
    .await;
    let processes = processes_of(emulator_pid, &sandbox.stack.functions["upload"]);
    assert!(!processes.is_empty(), "no upload process");

    processes.into_iter().for_each(kill);

    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    assert_eq!((file.sessions, file.versions), (1, 1));
    let resent = file.received_bytes - document.size;
    assert!(resent > 0, "the process was killed too late");
    assert!(resent <= file.largest_fragment, "{resent} bytes were sent again");

    let history = sandbox.cloud.history(&id).await;
    assert!(history.text().contains("Runtime.ExitError"), "the history has no crash");
}

/// Number of retries of the workflow after the process of a step died.
const MAX_RETRIES: usize = 5;

#[tokio::test]
async fn push_is_tried_again_after_five_killed_processes() {
    let sandbox = Sandbox::new().await;
    let emulator_pid = sandbox.stack.emulator_pid.expect("the test run started the emulator");
    let document = sandbox.document(2000).await;
    // The function `push` is killed while it waits for the delayed response.
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 60_000, "count": 100 })]).await;
    let id = sandbox.send().await;
    let pushes_at_last_kill = Cell::new(0);
    eventually("the function was killed five times", LONG_TIMEOUT, async || {
        let crashes = sandbox.cloud.history(&id).await.crashes().len();
        let pushes = sandbox.ords.document(&sandbox.guid).await.pushes;
        if crashes < MAX_RETRIES && pushes > pushes_at_last_kill.replace(pushes) {
            processes_of(emulator_pid, &sandbox.stack.functions["push"]).into_iter().for_each(kill);
        }
        (crashes == MAX_RETRIES).then_some(())
    })
    .await;
    sandbox.ords.simulator.remove_faults(&sandbox.tag).await;

    sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    assert_eq!(sandbox.cloud.history(&id).await.crashes().len(), MAX_RETRIES);
}
