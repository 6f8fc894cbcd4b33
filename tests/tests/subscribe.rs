//! Tests of the event stream of jobs (server-sent events) through the deployed system. The emulator
//! of AWS does not stream responses, so each response ends after its first new events, and the
//! tests reconnect with the id of the last event.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use docferry_system_tests::{Api, Identity, MIB, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Returns a client with the token of a person with this name.
async fn client_of(sandbox: &Sandbox, name: &str) -> Api {
    let identity = Identity::new(&sandbox.stack);
    let subject = format!("{}-{name}", sandbox.tag);
    let token =
        identity.token_of(&subject, "docferry.read docferry.write docferry.documents").await;
    sandbox.api.with_token(&token)
}

/// Creates a job of one document that arrives after 8 s. Returns the job's id.
async fn create_slow_job(sandbox: &Sandbox, api: &Api, size: u64) -> String {
    let (file_id, _) = sandbox.indexed_document(size, &[("moverDelayMs", "8000")]).await;
    api.create_job(&json!({ "file_id": file_id })).await
}

/// A server-sent event.
#[derive(Debug)]
struct Event {
    /// Name of the event: `status`, `progress`, `result` or `error`.
    name: String,
    id: String,
    data: Value,
}

/// Parses the events in the body of a response.
fn parse_events(text: &str) -> Vec<Event> {
    let parse_block = |block: &str| {
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
        };
        let data = serde_json::from_str(&field("data")?).unwrap();
        Some(Event { name: field("event")?, id: field("id")?, data })
    };
    text.split("\n\n").filter_map(parse_block).collect()
}

/// Reads the events of a job until the last event of the current run, and reconnects after each
/// response. Returns all events and the number of responses.
async fn read_events_to_end(api: &Api, job_id: &str) -> (Vec<Event>, usize) {
    let mut events = Vec::<Event>::new();
    let mut response_count = 0;
    eventually("the job ends", SHORT_TIMEOUT, async || {
        let last_id = events.last().map(|event| event.id.clone());
        let response = api.events(job_id, last_id.as_deref()).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text);
        assert_eq!(response.media_type(), "text/event-stream");
        assert!(response.text.starts_with("retry: "), "{}", response.text);
        response_count += 1;
        events.extend(parse_events(&response.text));
        events.last().filter(|event| event.id.ends_with(".end")).map(drop)
    })
    .await;
    (events, response_count)
}

#[tokio::test]
async fn events_continue_over_reconnects_until_the_result() {
    let sandbox = Sandbox::new().await;
    let ada = client_of(&sandbox, "ada").await;
    let size = 9 * MIB;
    let id = create_slow_job(&sandbox, &ada, size).await;
    let (events, response_count) = read_events_to_end(&ada, &id).await;
    assert!(response_count > 1, "{events:?}");

    let events_with_name =
        |name: &str| events.iter().filter(|event| event.name == name).collect::<Vec<_>>();
    let states: Vec<_> =
        events_with_name("status").iter().map(|event| event.data["status"].clone()).collect();
    assert_eq!(states.last(), Some(&json!("completed")));
    assert!(states.len() > 1, "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == "completed").count(), 1);

    let percents: Vec<_> =
        events_with_name("progress").iter().map(|event| event.data["percent"].as_u64()).collect();
    assert!(percents.is_sorted() && percents.last() == Some(&Some(100)), "{percents:?}");
    assert_eq!((events_with_name("result").len(), events_with_name("error").len()), (1, 0));

    let url = events_with_name("result")[0].data["url"].as_str().unwrap();
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetched = http_client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(fetched.len() as u64, size);

    // A client that has received the last event gets no more events.
    let end = &events.last().unwrap().id;
    let response = ada.events(&id, Some(end)).await;
    assert_eq!((response.status, response.text.as_str()), (StatusCode::NO_CONTENT, ""));

    // A client without a last event id gets the events that describe the current state.
    let names: Vec<_> = parse_events(&ada.events(&id, None).await.text)
        .into_iter()
        .map(|event| event.name)
        .collect();
    assert_eq!(names, ["status", "progress", "result"]);

    // Callers other than the owner get 404.
    for other_caller in [&client_of(&sandbox, "bob").await, &sandbox.api] {
        for last_id in [None, Some(end.as_str())] {
            let response = other_caller.events(&id, last_id).await;
            assert_eq!(
                (response.status, &response.json()["code"]),
                (StatusCode::NOT_FOUND, &json!("NOT_FOUND"))
            );
        }
    }
}

#[tokio::test]
async fn events_of_a_canceled_job_end_and_continue_after_a_retry() {
    let sandbox = Sandbox::new().await;
    let ada = client_of(&sandbox, "ada").await;
    let id = create_slow_job(&sandbox, &ada, 1000).await;
    let canceled = ada.post_json(&format!("/v1/download/cancel/{id}"), None).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED, "{}", canceled.text);

    let (events, _) = read_events_to_end(&ada, &id).await;
    let end = events.last().unwrap();
    assert_eq!(end.name, "error");
    assert_eq!(end.data["code"], "CANCELED");
    assert_eq!(ada.events(&id, Some(&end.id)).await.status, StatusCode::NO_CONTENT);

    let path = format!("/v1/download/retry/{id}");
    eventually("the retry is accepted", SHORT_TIMEOUT, async || {
        let response = ada.request(Method::POST, &path, None).await;
        (response.status == StatusCode::ACCEPTED).then_some(())
    })
    .await;
    let new_run = parse_events(&ada.events(&id, Some(&end.id)).await.text);
    assert_eq!(new_run[0].name, "status");
    assert_eq!(new_run[0].data["attempts"], 2);

    let (events, _) = read_events_to_end(&ada, &id).await;
    assert_eq!(events.last().unwrap().name, "result");
}

/// The test sends the CORS preflight request of a browser. The browser asks whether a page of this
/// origin may read the stream with an `Authorization` header.
#[tokio::test]
async fn allowed_origin_may_subscribe_to_events() {
    let sandbox = Sandbox::new().await;
    let url = format!("{}/v1/download/subscribe/x", sandbox.stack.api);
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let preflight = http_client
        .request(Method::OPTIONS, url)
        .header("origin", "https://viewer.example.org")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,last-event-id");
    let response = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
        let response = preflight.try_clone().unwrap().send().await.unwrap();
        (response.status() != StatusCode::TOO_MANY_REQUESTS).then_some(response)
    })
    .await;
    assert_eq!(response.status(), StatusCode::OK);

    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://viewer.example.org");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("last-event-id") && allowed.contains("authorization"), "{allowed}");
}
