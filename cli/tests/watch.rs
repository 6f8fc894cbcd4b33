//! Tests of watching transfers: the progress shown, the polling rate, and the end.

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use docferry_cli::ClientError;
use docferry_cli::display::Lines;
use docferry_cli::watch::{End, Observer, Options, Outcome, View, watch, watch_all};
use support::{client, failed_transfer_status, serve_transfer_status, transfer_status_responses};
use wiremock::{MockServer, ResponseTemplate};

/// Observer that records its events.
#[derive(Debug, Default)]
struct Recorder {
    /// Percentage, bytes and size of each view.
    seen: RefCell<Vec<(u8, u64, Option<u64>)>>,
    retries: RefCell<Vec<Duration>>,
    ends: RefCell<usize>,
}

impl Observer for Recorder {
    fn progress(&self, view: &View<'_>) {
        self.seen.borrow_mut().push((view.percent, view.bytes, view.size));
    }

    fn retrying(&self, _error: &ClientError, pause: Duration) {
        self.retries.borrow_mut().push(pause);
    }

    fn ended(&self, _end: &End<'_>, _elapsed: Duration) {
        *self.ends.borrow_mut() += 1;
    }
}

fn options(seconds: u64) -> Options {
    Options { timeout: Duration::from_secs(seconds), retries: 2 }
}

#[tokio::test]
async fn displayed_percent_and_bytes_never_decrease() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[0, 40, 30, 55, 10, 100]))
        .await;
    let recorder = Recorder::default();
    let outcome = watch(&client(&server), "t1", &options(30), &recorder).await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)));
    let seen = recorder.seen.take();
    assert_eq!(seen.iter().map(|view| view.0).collect::<Vec<_>>(), [0, 40, 40, 55, 55, 100]);
    assert_eq!(seen[1], (40, 3_000_000, Some(9_000_000)));
    assert_eq!(seen[5], (100, 9_000_000, Some(9_000_000)));
    assert_eq!(*recorder.ends.borrow(), 1);
}

#[tokio::test]
async fn plain_lines_are_written_only_for_changes() {
    let server = MockServer::start().await;
    serve_transfer_status(
        &server,
        "t1",
        transfer_status_responses(&[0, 0, 0, 0, 50, 20, 50, 50, 100]),
    )
    .await;
    let out = Rc::new(RefCell::new(Vec::new()));
    let watched = [("t1".to_owned(), Lines::new(Rc::clone(&out), "t1", None))];
    watch_all(&client(&server), &watched, &options(30)).await;
    let text = String::from_utf8(out.take()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("t1:   0 %"), "{text}");
    assert!(lines[1].starts_with("t1 Ōtāhuhu #3.pdf:  50 %  4.00 MB of 9.00 MB"), "{text}");
    assert!(lines[2].starts_with("t1 Ōtāhuhu #3.pdf: completed  9.00 MB  in "), "{text}");
}

#[tokio::test]
async fn at_most_one_line_per_second_is_written() {
    let server = MockServer::start().await;
    serve_transfer_status(
        &server,
        "t1",
        transfer_status_responses(&[10, 15, 20, 25, 30, 35, 40, 45, 100]),
    )
    .await;
    let out = Rc::new(RefCell::new(Vec::new()));
    let watched = [("t1".to_owned(), Lines::new(Rc::clone(&out), "t1", Some("list.pdf")))];
    let start = Instant::now();
    watch_all(&client(&server), &watched, &options(30)).await;
    let allowed = start.elapsed().as_secs() as usize + 2;
    let text = String::from_utf8(out.take()).unwrap();
    assert!(text.lines().count() <= allowed, "{allowed} allowed:\n{text}");
    assert!(text.ends_with("s\n") && text.contains("list.pdf: completed"), "{text}");
}

#[tokio::test]
async fn transient_failure_is_retried_after_retry_after() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "1");
    let mut responses = vec![busy, ResponseTemplate::new(502)];
    responses.extend(transfer_status_responses(&[100]));
    serve_transfer_status(&server, "t1", responses).await;
    let recorder = Recorder::default();
    let start = Instant::now();
    let outcome = watch(&client(&server), "t1", &options(30), &recorder).await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)));
    assert!(start.elapsed() >= Duration::from_secs(1));

    let retries = recorder.retries.take();
    assert_eq!((retries.len(), retries[0]), (2, Duration::from_secs(1)));
}

#[tokio::test]
async fn persistent_failure_ends_a_watch_after_all_retries() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", vec![ResponseTemplate::new(500)]).await;
    let error =
        watch(&client(&server), "t1", &options(30), &Recorder::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unavailable { status: 500, .. }));
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn timeout_ends_a_watch_during_a_long_retry_after() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let mut responses = transfer_status_responses(&[25]);
    responses.push(busy);
    serve_transfer_status(&server, "t1", responses).await;
    let start = Instant::now();
    let outcome = watch(&client(&server), "t1", &options(5), &Recorder::default()).await.unwrap();
    let Outcome::TimedOut(Some(status)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(status.percent_transfered, 25);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn failed_transfer_does_not_end_other_watches() {
    let server = MockServer::start().await;
    let broken = ResponseTemplate::new(200)
        .set_body_json(failed_transfer_status(0, "The document is unknown."));
    serve_transfer_status(&server, "bad", vec![broken]).await;
    serve_transfer_status(&server, "good", transfer_status_responses(&[0, 10, 100])).await;
    serve_transfer_status(&server, "gone", vec![ResponseTemplate::new(404)]).await;
    let watched = ["bad", "good", "gone"].map(|id| (id.to_owned(), Recorder::default()));
    let results = watch_all(&client(&server), &watched, &options(30)).await;
    assert!(matches!(&results[0], Ok(Outcome::Failed(status)) if status.percent_transfered == 0));
    assert!(matches!(&results[1], Ok(Outcome::Completed(_))));
    assert!(matches!(&results[2], Err(ClientError::NotFound(_))));
}

#[tokio::test]
async fn polling_rate_is_limited() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[30])).await;
    let recorder = Recorder::default();
    watch(&client(&server), "t1", &options(5), &recorder).await.unwrap();
    let polls = server.received_requests().await.unwrap().len();
    assert!((2..=7).contains(&polls), "{polls} polls in 5 s");
}
