//! Tests of job events, through the deployed system with IAM enforcement. The emulator does
//! not stream responses, so each response ends after its first new events.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use docferry_system_tests::{Api, Identity, MIB, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Returns a client for a person with this name.
async fn person(sandbox: &Sandbox, name: &str) -> Api {
    let identity = Identity::new(&sandbox.stack);
    let subject = format!("{}-{name}", sandbox.tag);
    let token = identity.token_of(&subject, "docferry.read docferry.write").await;
    sandbox.api.with_token(&token)
}

/// Creates a job of one document that arrives after 8 s. Returns the job's id.
async fn create_slow_job(sandbox: &Sandbox, api: &Api, size: u64) -> String {
    let (file_id, _) = sandbox.indexed_document(size, &[("moverDelayMs", "8000")]).await;
    api.create_job(&json!({ "file_id": file_id })).await
}

#[derive(Debug)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

/// Parses the events of a response.
fn parse_events(text: &str) -> Vec<Event> {
    let block = |block: &str| {
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
        };
        let data = serde_json::from_str(&field("data")?).unwrap();
        Some(Event { kind: field("event")?, id: field("id")?, data })
    };
    text.split("\n\n").filter_map(block).collect()
}

/// Reconnects with the last event id until the end. Returns all events and the number of
/// responses.
async fn read_events_to_end(api: &Api, job_id: &str) -> (Vec<Event>, usize) {
    let (mut seen, mut response_count) = (Vec::<Event>::new(), 0);
    eventually("the job ends", SHORT_TIMEOUT, async || {
        let last_id = seen.last().map(|event| event.id.clone());
        let answer = api.events(job_id, last_id.as_deref()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.media_type(), "text/event-stream");
        assert!(answer.text.starts_with("retry: "), "{}", answer.text);
        response_count += 1;
        seen.extend(parse_events(&answer.text));
        seen.last().filter(|event| event.id.ends_with(".end")).map(drop)
    })
    .await;
    (seen, response_count)
}

#[tokio::test]
async fn events_continue_over_reconnects_until_the_result() {
    let sandbox = Sandbox::new().await;
    let ada = person(&sandbox, "ada").await;
    let size = 9 * MIB;
    let id = create_slow_job(&sandbox, &ada, size).await;
    let (seen, response_count) = read_events_to_end(&ada, &id).await;
    assert!(response_count > 1, "{seen:?}");

    let events_of_kind =
        |kind: &str| seen.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    let states: Vec<_> =
        events_of_kind("status").iter().map(|e| e.data["status"].clone()).collect();
    assert_eq!(states.last(), Some(&json!("completed")));
    assert!(states.len() > 1 && states.iter().filter(|state| **state == "completed").count() == 1);

    let percents: Vec<_> =
        events_of_kind("progress").iter().map(|e| e.data["percent"].as_u64()).collect();
    assert!(percents.is_sorted() && percents.last() == Some(&Some(100)), "{percents:?}");
    assert_eq!((events_of_kind("result").len(), events_of_kind("error").len()), (1, 0));

    let url = events_of_kind("result")[0].data["url"].as_str().unwrap();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetched = plain.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(fetched.len() as u64, size);

    // After the last event there are no more. Without a last event id, all are sent again.
    let end = &seen.last().unwrap().id;
    let answer = ada.events(&id, Some(end)).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));

    let all: Vec<_> = parse_events(&ada.events(&id, None).await.text)
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(all, ["status", "progress", "result"]);

    // For other callers the job does not exist.
    for other in [&person(&sandbox, "bob").await, &sandbox.api] {
        for last_id in [None, Some(end.as_str())] {
            let answer = other.events(&id, last_id).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (StatusCode::NOT_FOUND, &json!("NOT_FOUND"))
            );
        }
    }
}

#[tokio::test]
async fn events_of_a_canceled_job_end_and_continue_after_a_retry() {
    let sandbox = Sandbox::new().await;
    let ada = person(&sandbox, "ada").await;
    let id = create_slow_job(&sandbox, &ada, 1000).await;
    let canceled = ada.post_json(&format!("/v1/download/cancel/{id}"), None).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED, "{}", canceled.text);

    let (seen, _) = read_events_to_end(&ada, &id).await;
    let end = seen.last().unwrap();
    assert_eq!((end.kind.as_str(), &end.data["code"]), ("error", &json!("CANCELED")));
    assert_eq!(ada.events(&id, Some(&end.id)).await.status, StatusCode::NO_CONTENT);

    let path = format!("/v1/download/retry/{id}");
    eventually("the retry is accepted", SHORT_TIMEOUT, async || {
        let answer = ada.request(Method::POST, &path, None).await;
        (answer.status == StatusCode::ACCEPTED).then_some(())
    })
    .await;
    let new_run = parse_events(&ada.events(&id, Some(&end.id)).await.text);
    assert_eq!((new_run[0].kind.as_str(), &new_run[0].data["attempts"]), ("status", &json!(2)));

    let (seen, _) = read_events_to_end(&ada, &id).await;
    assert_eq!(seen.last().unwrap().kind, "result");
}

/// Sends the preflight request with which a browser checks that a page may read the stream
/// with its own credentials.
#[tokio::test]
async fn allowed_origin_may_subscribe_to_events() {
    let sandbox = Sandbox::new().await;
    let url = format!("{}/v1/download/subscribe/x", sandbox.stack.api);
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let preflight = plain
        .request(Method::OPTIONS, url)
        .header("origin", "https://viewer.example.org")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,last-event-id");
    let answer = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
        let answer = preflight.try_clone().unwrap().send().await.unwrap();
        (answer.status() != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    })
    .await;
    assert_eq!(answer.status(), StatusCode::OK);

    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://viewer.example.org");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("last-event-id") && allowed.contains("authorization"), "{allowed}");
}
