//! A process that dies. In a file of its own and run alone: which of several
//! upload processes serves which transfer is not to be seen from outside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, too, say what went wrong by panicking"
)]

use std::fs;
use std::process::Command;

use docferry_system_tests::{LONG, MIB, SHORT, Sandbox, eventually};

#[tokio::test]
async fn an_upload_whose_process_is_killed_goes_on_and_sends_at_most_a_fragment_again() {
    let sandbox = Sandbox::new().await;
    let emulator = sandbox.stack.emulator_pid.expect("the emulator is not ours to look into");
    let document = sandbox.document(32 * MIB).await;
    sandbox.limit_bandwidth(8 * MIB).await;
    let id = sandbox.send().await;
    // In the middle of the second fragment: one is safe, one is under way.
    eventually("bytes of the second fragment arrive", SHORT, async || {
        let sessions = sandbox.graph.sessions(&sandbox.email).await;
        let session = sessions.first()?;
        (session.next_offset > 0 && session.received_bytes > session.next_offset + MIB)
            .then_some(())
    })
    .await;
    let processes = processes_of(emulator, &sandbox.stack.functions["upload"]);
    assert!(!processes.is_empty(), "no upload process");
    for process in &processes {
        // That one of them ends by itself meanwhile is fine.
        Command::new("kill").args(["-KILL", process]).status().unwrap();
    }

    let file = sandbox.delivered_within(LONG, &id, &document).await;
    assert_eq!((file.sessions, file.versions), (1, 1));
    let again = file.received_bytes - document.size;
    assert!(again > 0, "the kill came too late to cost anything");
    assert!(again <= file.largest_fragment, "{again} bytes were sent again");
    let history = sandbox.cloud.history(&id).await;
    assert!(history.text().contains("Runtime.ExitError"), "the workflow saw no crash");
}

/// Processes below the emulator that run this function.
fn processes_of(emulator: u32, function: &str) -> Vec<String> {
    let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().into_string() else { continue };
        // Others come and go meanwhile, and not all are ours to read.
        let read = |what: &str| fs::read_to_string(entry.path().join(what)).ok();
        let parent = read("stat").and_then(|stat| {
            let after_name = stat.rsplit_once(')')?.1.to_owned();
            after_name.split_whitespace().nth(1)?.parse::<u32>().ok()
        });
        let is_ours = parent == Some(emulator);
        if is_ours && read("environ").is_some_and(|env| env.split('\0').any(|e| e == wanted)) {
            found.push(pid);
        }
    }
    found
}
