//! Tests of the example API clients in `docs/clients/`. Node runs the unchanged clients; they call a
//! mock of the API ([`Upstream`]) through nginx. The mock sends correct responses for the job `j1`
//! and damaged responses for the job `j2`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::upstream::Upstream;
use crate::{CALL_TIMEOUT, program, start_behind_nginx};

/// Runs a script that uses one of the clients and prints one JSON document. `client_file` is the
/// name of the client's file, and `imports` are the names that the script imports from it. If Node
/// is not configured, prints that the test is skipped and returns `None`.
async fn run_client(
    proxy: &Proxy,
    client_file: &str,
    imports: &str,
    script: &str,
) -> Option<Value> {
    let Some(node) = program("DOCFERRY_NODE") else {
        eprintln!("skipped: DOCFERRY_NODE is not set");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let client_path = root.join("docs/clients").join(client_file);
    let script = format!(
        "import {{ {imports} }} from {};\nconst api = {};\nconst authorization = () => \"Bearer t0ken\";\n\
         setTimeout(() => {{ console.error(\"timeout\"); process.exit(1); }}, {}).unref();\n{script}",
        json!(format!("file://{}", client_path.display())),
        json!(proxy.url),
        CALL_TIMEOUT.as_millis(),
    );
    let mut command = Command::new(node);
    command.args(["--experimental-eventsource", "--input-type=module", "--eval", &script]);
    command.env_remove("NODE_OPTIONS").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8_lossy(&output.stdout);
    Some(serde_json::from_str(&text).expect("one JSON document"))
}

/// Returns the `Last-Event-ID` of each request for events, or an empty string without one.
fn last_event_ids(upstream: &Upstream) -> Vec<String> {
    let request_heads = upstream.request_heads();
    let subscriptions = request_heads.iter().filter(|head| head.contains("/subscribe/"));
    subscriptions
        .map(|head| {
            let id = head.lines().find_map(|line| line.strip_prefix("last-event-id: "));
            id.unwrap_or_default().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn polling_client_waits_as_long_as_requested() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "const waited = [], seen = [];
        const job = await waitForJob(api, 'j1', {
          authorization,
          onStatus: (status) => seen.push(status.status),
          pause: async (milliseconds) => { waited.push(milliseconds); },
        });
        console.log(JSON.stringify({ waited, seen, progress: job.progress }));";
    let Some(printed) = run_client(&proxy, "poll.ts", "waitForJob", script).await else { return };
    let expected =
        json!({ "waited": [2000, 1500], "seen": ["running", "completed"], "progress": 100 });
    assert_eq!(printed, expected);
    assert!(
        upstream.request_heads().iter().all(|head| head.contains("authorization: Bearer t0ken"))
    );
}

#[tokio::test]
async fn polling_client_stops_on_permanent_errors_and_on_abort() {
    let Some((_upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "let status, stopped;
        try { await waitForJob(api, 'unknown', { authorization }); }
        catch (error) { status = error.status; }
        const abort = new AbortController();
        const pause = (milliseconds, signal) => { abort.abort(); return sleep(milliseconds, signal); };
        try { await waitForJob(api, 'j1', { authorization, signal: abort.signal, pause }); }
        catch (error) { stopped = error.name; }
        console.log(JSON.stringify({ status, stopped }));";
    let Some(printed) = run_client(&proxy, "poll.ts", "waitForJob, sleep", script).await else {
        return;
    };
    assert_eq!(printed, json!({ "status": 404, "stopped": "AbortError" }));
}

#[tokio::test]
async fn polling_client_retries_after_truncated_bodies_and_sign_in_pages() {
    let Some((_upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "const pauses = [];
        const pause = async (milliseconds) => { pauses.push(milliseconds); };
        const job = await waitForJob(api, 'j2', { authorization, pause });
        console.log(JSON.stringify({ status: job.status, failures: pauses.length }));";
    let Some(printed) = run_client(&proxy, "poll.ts", "waitForJob", script).await else { return };
    // A sign-in page, a truncated body and a wrong media type.
    assert_eq!(printed, json!({ "status": "completed", "failures": 3 }));
}

#[tokio::test]
async fn polling_client_gives_up_after_the_configured_number_of_retries() {
    let Some((_upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "let failed;
        try { await waitForJob(api, 'j2', { authorization, retries: 2, pause: async () => {} }); }
        catch (error) { failed = error.name; }
        console.log(JSON.stringify({ failed }));";
    let Some(printed) = run_client(&proxy, "poll.ts", "waitForJob", script).await else { return };
    assert_eq!(printed, json!({ "failed": "JobError" }));
}

#[tokio::test]
async fn streaming_client_reconnects_after_malformed_events_and_sign_in_pages() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "const seen = [];
        const pause = async () => {};
        await subscribe(api, 'j2', { authorization, pause, onEvent: (event) => { seen.push(event); } });
        console.log(JSON.stringify(seen));";
    let Some(printed) = run_client(&proxy, "subscribe.ts", "subscribe", script).await else {
        return;
    };
    assert_eq!(printed, json!([{ "type": "result", "id": "1.end", "data": {} }]));
    assert_eq!(
        last_event_ids(&upstream),
        ["", "", "", "1.end"],
        "the id of a malformed event is not used"
    );
}

#[tokio::test]
async fn streaming_client_resumes_after_the_last_received_event() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "const seen = [];
        await subscribe(api, 'j1', {
          authorization,
          onEvent: async (event) => {
            seen.push(event);
            await fetch(`${api}/confirm/${seen.length}`, { method: 'POST' });
          },
        });
        console.log(JSON.stringify(seen));";
    let Some(printed) = run_client(&proxy, "subscribe.ts", "subscribe", script).await else {
        return;
    };
    let expected = json!([
        { "type": "status", "id": "1.running", "data": { "status": "running" } },
        { "type": "progress", "id": "1.running.40.6", "data": { "percent": 40 } },
        { "type": "status", "id": "1.completed.40.6", "data": { "status": "completed" } },
        { "type": "progress", "id": "1.completed.100.15", "data": { "percent": 100 } },
        { "type": "result", "id": "1.completed.100.15.end", "data": { "url": null } },
    ]);
    assert_eq!(printed, expected);
    assert_eq!(last_event_ids(&upstream), ["", "1.running.40.6", "1.completed.100.15.end"]);
}

#[tokio::test]
async fn event_source_client_closes_after_the_last_event() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let script = "const seen = [];
        const { ended } = follow(api, 'j1', (type, data) => {
          seen.push([type, data]);
          fetch(`${api}/confirm/${seen.length}`, { method: 'POST' });
        });
        // Node would exit while the EventSource waits to reconnect; a page would not.
        const page = setInterval(() => {}, 1000);
        await ended;
        clearInterval(page);
        console.log(JSON.stringify(seen));";
    let Some(printed) = run_client(&proxy, "eventsource.ts", "follow", script).await else {
        return;
    };
    let expected = json!([
        ["status", { "status": "running" }],
        ["progress", { "percent": 40 }],
        ["status", { "status": "completed" }],
        ["progress", { "percent": 100 }],
        ["result", { "url": null }],
    ]);
    assert_eq!(printed, expected);
    assert_eq!(last_event_ids(&upstream), ["", "1.running.40.6", "1.completed.100.15.end"]);
}
