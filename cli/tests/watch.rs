//! Tests of the library's functions that watch transfers. They poll the status of a transfer until
//! it ends. The tests check the progress that an observer sees, the polling rate, retries, and the
//! result.

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use docferry_cli::ClientError;
use docferry_cli::display::Lines;
use docferry_cli::watch::{End, Observer, Options, Outcome, View, watch, watch_all};
use support::{
    TRANSFER_SIZE, client, failed_transfer_status, serve_transfer_status, transfer_status_responses,
};
use wiremock::{MockServer, ResponseTemplate};

/// Progress that was reported to the observer.
#[derive(Debug, PartialEq, Eq)]
struct RecordedView {
    percent: u8,
    bytes: u64,
    size: Option<u64>,
}

/// Observer that records its events.
#[derive(Debug, Default)]
struct Recorder {
    views: RefCell<Vec<RecordedView>>,
    /// Pause before each retry.
    retry_pauses: RefCell<Vec<Duration>>,
    /// Number of calls of [`Observer::ended`].
    end_count: RefCell<usize>,
}

impl Observer for Recorder {
    fn progress(&self, view: &View<'_>) {
        let View { percent, bytes, size, .. } = *view;
        self.views.borrow_mut().push(RecordedView { percent, bytes, size });
    }

    fn retrying(&self, _error: &ClientError, pause: Duration) {
        self.retry_pauses.borrow_mut().push(pause);
    }

    fn ended(&self, _end: &End<'_>, _elapsed: Duration) {
        *self.end_count.borrow_mut() += 1;
    }
}

/// Returns options with this timeout and at most two retries.
fn options(timeout_seconds: u64) -> Options {
    Options { timeout: Duration::from_secs(timeout_seconds), retries: 2 }
}

#[tokio::test]
async fn displayed_percent_and_bytes_never_decrease() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[0, 40, 30, 55, 10, 100]))
        .await;

    let recorder = Recorder::default();
    let outcome = watch(&client(&server), "t1", &options(30), &recorder).await.unwrap();

    assert!(matches!(outcome, Outcome::Completed(_)));
    let views = recorder.views.take();
    let percents: Vec<_> = views.iter().map(|view| view.percent).collect();
    assert_eq!(percents, [0, 40, 40, 55, 55, 100]);
    let size = Some(TRANSFER_SIZE);
    // The upload spans 10 to 100 %, so 40 % are a third of the bytes.
    assert_eq!(views[1], RecordedView { percent: 40, bytes: 3_000_000, size });
    assert_eq!(views[5], RecordedView { percent: 100, bytes: TRANSFER_SIZE, size });
    assert_eq!(*recorder.end_count.borrow(), 1);
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
    // One line at the start, one at the end, and one in each second between them.
    let allowed_lines = start.elapsed().as_secs() as usize + 2;
    let text = String::from_utf8(out.take()).unwrap();
    assert!(text.lines().count() <= allowed_lines, "{allowed_lines} lines are allowed:\n{text}");
    assert!(text.ends_with("s\n") && text.contains("list.pdf: completed"), "{text}");
}

#[tokio::test]
async fn transient_failure_is_retried_after_the_requested_pause() {
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

    let retry_pauses = recorder.retry_pauses.take();
    assert_eq!(retry_pauses.len(), 2);
    assert_eq!(retry_pauses[0], Duration::from_secs(1));
}

#[tokio::test]
async fn persistent_failure_ends_a_watch_after_all_retries() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", vec![ResponseTemplate::new(500)]).await;

    let error =
        watch(&client(&server), "t1", &options(30), &Recorder::default()).await.unwrap_err();

    assert!(matches!(error, ClientError::Unavailable { status: 500, .. }));
    // The first try and two retries.
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn timeout_ends_a_watch_during_a_long_requested_pause() {
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
async fn failed_transfer_does_not_end_the_watch_of_another_transfer() {
    let server = MockServer::start().await;
    let failed = ResponseTemplate::new(200)
        .set_body_json(failed_transfer_status(0, "The document is unknown."));
    serve_transfer_status(&server, "bad", vec![failed]).await;
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
    // The pauses grow from 0.5 s to 2 s, so about five polls fit into the timeout of 5 s.
    let polls = server.received_requests().await.unwrap().len();
    assert!((2..=7).contains(&polls), "{polls} polls in 5 s");
}
