//! Tests of the exit codes and the output of `docferry send` and `docferry watch`. They run the
//! real binary against a mock of the service.

mod support;

use serde_json::json;
use support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, failed_transfer_status,
    json_lines, problem_response, run_docferry, serve_transfer_status, stderr, stdout,
    transfer_status, transfer_status_responses, unreachable_address, upload_request,
};
use wiremock::matchers::{any, body_partial_json};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Accepts the document `obj_guid` as the transfer `transfer_id`.
async fn accept_document(server: &MockServer, obj_guid: &str, transfer_id: &str) {
    upload_request()
        .and(body_partial_json(json!({"objGuid": obj_guid, "email": "judge@example.test"})))
        .respond_with(
            ResponseTemplate::new(202)
                .set_body_json(json!({"objGuid": obj_guid, "transferId": transfer_id})),
        )
        .mount(server)
        .await;
}

#[tokio::test]
async fn send_prints_transfer_ids_and_exits_0() {
    let server = MockServer::start().await;
    accept_document(&server, "QQ==", "id-a").await;
    accept_document(&server, "Qg==", "id-b").await;

    let args = ["send", "QQ==", "Qg==", "--email", "judge@example.test", "--path", "Lists/A B"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_eq!(stdout(&output), "id-a  QQ==\nid-b  Qg==\n", "{}", stderr(&output));
    assert_exit_code(&output, 0);

    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(
        |request| request.body_json::<serde_json::Value>().unwrap()["filePath"] == "Lists/A B"
    ));
}

#[tokio::test]
async fn send_shows_invalid_fields_and_continues_with_other_documents() {
    let server = MockServer::start().await;
    let body = json!({
        "type": "about:blank", "title": "Invalid request", "status": 400,
        "detail": "One field is wrong.", "code": "INVALID_REQUEST",
        "errors": [{"pointer": "/objGuid", "detail": "must be base64", "code": "not_base64"}],
    });
    upload_request()
        .and(body_partial_json(json!({"objGuid": "???"})))
        .respond_with(problem_response(400, &body))
        .mount(&server)
        .await;
    accept_document(&server, "Qg==", "id-b").await;

    let args = ["send", "???", "Qg==", "--email", "judge@example.test"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 1);
    assert_eq!(stdout(&output), "id-b  Qg==\n");

    let shown = stderr(&output);
    for part in [
        "???",
        "Invalid request: One field is wrong.",
        "INVALID_REQUEST",
        "/objGuid: must be base64",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
}

#[tokio::test]
async fn send_with_watch_prints_json_lines() {
    let server = MockServer::start().await;
    accept_document(&server, "QQ==", "t1").await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[10, 100])).await;

    let args = ["--json", "send", "QQ==", "--email", "judge@example.test", "--watch"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 0);
    let expected = [json!({"objGuid": "QQ==", "transferId": "t1"}), transfer_status(100)];
    assert_eq!(json_lines(&output), expected);
}

#[tokio::test]
async fn watch_exits_2_and_prints_the_reason_of_a_failed_transfer() {
    let server = MockServer::start().await;
    let message = "The document is not in the object store. Check its GUID.";
    let failed = ResponseTemplate::new(200).set_body_json(failed_transfer_status(0, message));
    serve_transfer_status(&server, "t1", vec![failed]).await;
    serve_transfer_status(&server, "t2", transfer_status_responses(&[100])).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["watch", "t1", "t2"]).await;

    assert_exit_code(&output, 2);
    assert!(stdout(&output).contains(message), "{}", stdout(&output));
}

#[tokio::test]
async fn watch_exits_3_when_the_transfer_runs_beyond_the_timeout() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[42])).await;

    let args = ["watch", "t1", "--timeout", "5", "--json"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 3);
    assert_eq!(json_lines(&output), [transfer_status(42)]);
}

#[tokio::test]
async fn wrong_credentials_exit_4_and_are_not_printed() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(problem_response(401, &json!({"title": "Unauthorized", "status": 401})))
        .mount(&server)
        .await;
    for args in [&["watch", "t1"][..], &["send", "QQ==", "Qg==", "--email", "judge@example.test"]] {
        let output = run_docferry(&api_url(&server), "wrong-secret-9", args).await;
        assert_exit_code(&output, 4);
        let shown = stdout(&output) + &stderr(&output);
        assert!(shown.contains("Unauthorized") && !shown.contains("wrong-secret-9"), "{shown}");
    }

    // One request of `watch` and one of `send`: after the refusal of the first document, the second
    // one is not sent.
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn unreachable_service_exits_5() {
    let unreachable = unreachable_address();
    for args in [
        &["watch", "t1", "--retries", "1"][..],
        &["send", "QQ==", "--email", "judge@example.test", "--retries", "0"],
    ] {
        let output = run_docferry(&unreachable, PASSWORD, args).await;
        assert_exit_code(&output, 5);
        assert_stderr_contains(&output, "could not be reached");
    }
}

#[tokio::test]
async fn persistent_503_exits_5_after_all_retries() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;

    let args = ["send", "QQ==", "--email", "judge@example.test", "--retries", "1"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 5);
    // The first try and one retry.
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_usage_and_unknown_ids_exit_1() {
    let server = MockServer::start().await;
    // Two commands without their arguments, an unknown command, and an unknown transfer.
    for args in [&["send"][..], &["watch"], &["fly"], &["watch", "unknown"]] {
        let output = run_docferry(&api_url(&server), PASSWORD, args).await;
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
    }

    let without_api_address = run_docferry("", PASSWORD, &["watch", "t1"]).await;
    assert_exit_code(&without_api_address, 1);
}

#[tokio::test]
async fn password_file_has_priority_over_the_environment() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[100])).await;
    let file = std::env::temp_dir().join(format!("docferry-password-{}", std::process::id()));
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let args = ["watch", "t1", "--password-file", file.to_str().unwrap()];

    let output = run_docferry(&api_url(&server), "wrong-password-in-the-environment", &args).await;

    std::fs::remove_file(&file).unwrap();
    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn help_lists_exit_codes_and_hides_the_password() {
    for args in [&["--help"][..], &["send", "--help"], &["watch", "--help"], &["get", "--help"]] {
        let output = run_docferry("http://localhost/", PASSWORD, args).await;
        let help = stdout(&output);
        assert_exit_code(&output, 0);
        for part in [
            "Exit codes:",
            "2    a transfer or job failed",
            "5    the service could not be reached",
        ] {
            assert!(help.contains(part), "{help}");
        }
        assert!(!help.contains(PASSWORD));
    }
}
